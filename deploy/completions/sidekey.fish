# SPDX-License-Identifier: Apache-2.0
#
# Completion for fish. Verbs and options are asked of the program itself, so that they are those of
# the program that is installed.

function __sidekey_verbs
    set -l program (commandline -opc)[1]
    $program help 2>/dev/null | string replace -rf '^  ([a-z]+) +(.*)' '$1\t$2'
end

function __sidekey_options
    set -l words (commandline -opc)
    set -l verb serve
    if set -q words[2]; and not string match -q -- '-*' $words[2]
        set verb $words[2]
    end
    $words[1] $verb --help 2>/dev/null | string match -arg '(?:^|[\[\] ,|])(--?[a-z][a-z-]*)' | sort -u
end

function __sidekey_wants_file
    contains -- (commandline -opc)[-1] -c --config --from -o --output
end

function __sidekey_wants_word
    contains -- (commandline -opc)[-1] --name --pid --model --caller
end

complete -c sidekey -f
complete -c sidekey -n __sidekey_wants_file -F
complete -c sidekey -n 'test (count (commandline -opc)) -eq 1' -a '(__sidekey_verbs)'
complete -c sidekey -n 'not __sidekey_wants_file; and not __sidekey_wants_word' -a '(__sidekey_options)'
