# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Completion for bash. Verbs and options are asked of the program itself, so that they are those
# of the program that is installed.

_sidekey_verbs() {
	"$1" help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'
}

_sidekey_options() {
	"$1" "$2" --help 2>/dev/null | grep -oE -e '(^|[][ ,|])--?[a-z][a-z-]*' | tr -d '][ ,|' | sort -u
}

_sidekey() {
	local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} words=
	COMPREPLY=()
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	-c | --config | --from | -o | --output)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	--name | --pid | --model | --caller)
		return
		;;
	esac
	if [ "$COMP_CWORD" -gt 1 ] && [[ ${COMP_WORDS[1]} != -* ]]; then
		words=$(_sidekey_options "$program" "${COMP_WORDS[1]}")
	elif [[ $word != -* ]] && [ "$COMP_CWORD" -eq 1 ]; then
		words=$(_sidekey_verbs "$program")
	else
		words=$(_sidekey_options "$program" serve)
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _sidekey sidekey
