/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be wrong with a target's TLS material, which the store gave and nobody can use: keeper
 * and egress find it, ingress tells it.
 */
#ifndef BOX_TLS_FAULT_H
#define BOX_TLS_FAULT_H

enum tls_fault {
	TLS_FAULT_NONE,
	TLS_FAULT_CA,
	TLS_FAULT_CERT,
	TLS_FAULT_KEY,
	TLS_FAULT_PAIR,
	TLS_FAULT_LENGTH,
	TLS_FAULTS,
};

/* For /readyz, such as "UnusableCa"; of none "". */
const char *tls_fault_name(enum tls_fault f);
/* For people, without a full stop: which key of the configuration leads to what. Of none "". */
const char *tls_fault_why(enum tls_fault f);

#endif
