// SPDX-License-Identifier: Apache-2.0

// Judges pods by the library with which the API server's admission judges them. Pod templates come
// in, one JSON document after another; for each, one line goes out: an array of what the level
// named by the argument forbids in it, empty when it is allowed.
package main

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: podsecurity privileged|baseline|restricted")
	}
	level, err := api.ParseLevel(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		log.Fatal(err)
	}
	standard := api.LevelVersion{Level: level, Version: api.LatestVersion()}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var pod corev1.PodTemplateSpec
		if err := in.Decode(&pod); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		forbidden := []string{}
		for _, result := range evaluator.EvaluatePod(standard, &pod.ObjectMeta, &pod.Spec) {
			if !result.Allowed {
				forbidden = append(forbidden, result.ForbiddenReason+": "+result.ForbiddenDetail)
			}
		}
		if err := out.Encode(forbidden); err != nil {
			log.Fatal(err)
		}
	}
}
