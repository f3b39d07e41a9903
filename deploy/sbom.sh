#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Writes the bill of materials of a built program, SPDX 2.3 as JSON, to its output.
#
#   deploy/sbom.sh MAP PROGRAM VERSION
#
# MAP is the linker's own list of what it took from where, so that nothing has to
# be kept in step by hand: each archive and start file in it belongs to a Debian
# package, or is our build of libcurl. SOURCE_DATE_EPOCH is the document's date.
set -euo pipefail

bundle=/etc/ssl/certs/ca-certificates.crt

die() {
	echo "sbom: $*" >&2
	exit 1
}

# The archives of which a member was linked, and the start files.
linked() {
	{
		sed -n '/^Archive member/,/^\(Discarded\|Merging\|Memory\|As-needed\|There are\)/p' "$map" |
			sed -n 's/^\([^ (]*\.a\)(.*/\1/p'
		sed -n 's,^LOAD \(/.*/[a-zA-Z0-9]*crt[a-zA-Z0-9]*\.o\)$,\1,p' "$map"
	} | sort -u
}

# owner FILE: the folder of the dpkg database and the package that the file is of.
owner() {
	local file=$1 database=/var/lib/dpkg root='' name
	[[ $file != */.cache/sysroot-* ]] || {
		root=${file#*/.cache/sysroot-}
		root=${file%"$root"}${root%%/*}
		database=$root/var/lib/dpkg
	}
	file=$(realpath "$file")
	file=${file#"$root"}
	name=$(dpkg-query --admindir="$database" -S "$file" 2>/dev/null ||
		dpkg-query --admindir="$database" -S "${file#/usr}" 2>/dev/null) ||
		die "$1 belongs to no package"
	echo "$database ${name%%: *}"
}

# The licence's name in SPDX's words, or NOASSERTION.
spdx_licence() {
	local word out=()
	# shellcheck disable=SC2086 # words are wanted
	for word in $1; do
		case $word in
		or | and) out+=("${word^^}") ;;
		Expat) out+=(MIT) ;;
		BSD-3-clause) out+=(BSD-3-Clause) ;;
		Apache-2.0 | MPL-2.0 | curl) out+=("$word") ;;
		GPL-2 | GPL-3) out+=("$word.0-only") ;;
		GPL-2+ | GPL-3+) out+=("${word%+}.0-or-later") ;;
		LGPL-2.1) out+=(LGPL-2.1-only) ;;
		LGPL-2.1+) out+=(LGPL-2.1-or-later) ;;
		*)
			out=(NOASSERTION)
			break
			;;
		esac
	done
	[ ${#out[@]} -gt 0 ] || out=(NOASSERTION)
	echo "${out[*]}"
}

# licence FILE: what a Debian copyright file says of the bulk of its package.
licence() {
	local text
	text=$(tr -s ' \n\t*#' ' ' <"$1")
	if grep -q '^Format:.*copyright-format/1' "$1"; then
		# The stanza of all files; where there is none, the first that is not Debian's own.
		spdx_licence "$(awk '
			/^Files:/ { files = $2 }
			/^License:/ && files != "" {
				sub(/^License:[ \t]*/, "")
				if (files == "*") { all = $0; exit }
				if (files !~ /^debian\// && first == "") first = $0
			}
			END { print all != "" ? all : first }' "$1")"
	elif [[ $text == *'GCC RUNTIME LIBRARY EXCEPTION'* ]]; then
		echo 'GPL-3.0-or-later WITH GCC-exception-3.1'
	elif [[ $text == *'Lesser General Public License'*'version 2.1 of the License, or (at your option)'* ]]; then
		echo LGPL-2.1-or-later
	else
		echo NOASSERTION
	fi
}

quote() {
	local text=${1//\\/\\\\}
	printf '"%s"' "${text//\"/\\\"}"
}

# id TEXT: an identifier may have letters, digits, dots and hyphens.
id() {
	echo "SPDXRef-$(tr -c 'a-zA-Z0-9.\n' - <<<"$1")"
}

# package NAME VERSION SOURCE SOURCE-VERSION LICENCE PURL
package() {
	cat <<-END
		    {
		      "SPDXID": "$(id "Package-$1")",
		      "name": $(quote "$1"),
		      "versionInfo": $(quote "$2"),
		      "supplier": "Organization: Debian",
		      "downloadLocation": "NOASSERTION",
		      "filesAnalyzed": false,
		      "sourceInfo": $(quote "Debian's source package $3 $4"),
		      "licenseConcluded": "NOASSERTION",
		      "licenseDeclared": $(quote "$5"),
		      "copyrightText": "NOASSERTION",
		      "externalRefs": [
		        {
		          "referenceCategory": "PACKAGE-MANAGER",
		          "referenceType": "purl",
		          "referenceLocator": $(quote "$6")
		        }
		      ]
		    },
	END
}

# debian DATABASE PACKAGE: its stanza, as dpkg knows it.
debian() {
	local name version arch source source_version
	read -r name version arch source source_version < <(dpkg-query --admindir="$1" -W \
		-f '${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\n' "$2")
	package "$name" "$version" "$source" "$source_version" \
		"$(licence "${1%/var/lib/dpkg}/usr/share/doc/$name/copyright")" \
		"pkg:deb/debian/$name@$(escape "$version")?arch=$arch&distro=bookworm"
}

# What a package URL must not hold as it is.
escape() {
	sed 's/%/%25/g; s/+/%2B/g; s/:/%3A/g; s/~/%7E/g' <<<"$1"
}

curl() {
	local where=$1 revision
	revision=$(cat "$where/revision")
	package curl "$revision" curl "$revision" "$(licence "$where/copyright")" \
		"pkg:deb/debian/curl@$(escape "$revision")?arch=source&distro=bookworm"
}

# file ID NAME PATH
file() {
	cat <<-END
		    {
		      "SPDXID": "$1",
		      "fileName": "$2",
		      "checksums": [
		        {"algorithm": "SHA1", "checksumValue": "$(sha1sum <"$3" | cut -c1-40)"},
		        {"algorithm": "SHA256", "checksumValue": "$(sha256sum <"$3" | cut -c1-64)"}
		      ],
		      "licenseConcluded": "NOASSERTION",
		      "copyrightText": "NOASSERTION"
		    }
	END
}

relationship() {
	printf '    {"spdxElementId": "%s", "relationshipType": "%s", "relatedSpdxElement": "%s"}' "$@"
}

packages() {
	local place name
	cat <<-END
		    {
		      "SPDXID": "SPDXRef-Package-sidekey",
		      "name": "sidekey",
		      "versionInfo": "$version",
		      "supplier": "NOASSERTION",
		      "downloadLocation": "NOASSERTION",
		      "filesAnalyzed": false,
		      "licenseConcluded": "NOASSERTION",
		      "licenseDeclared": "Apache-2.0",
		      "copyrightText": "NOASSERTION",
		      "primaryPackagePurpose": "APPLICATION"
		    },
	END
	while read -r place name; do
		if [ "$place" = curl ]; then
			curl "$name"
		else
			debian "$place" "$name"
		fi
	done <<<"$parts" | sed '$ s/},$/}/'
}

relationships() {
	local place name
	relationship SPDXRef-DOCUMENT DESCRIBES SPDXRef-Package-sidekey
	printf ',\n'
	relationship SPDXRef-File-sidekey GENERATED_FROM SPDXRef-Package-sidekey
	while read -r place name; do
		printf ',\n'
		case $place:$name in
		curl:*) relationship SPDXRef-File-sidekey STATIC_LINK SPDXRef-Package-curl ;;
		*:ca-certificates) relationship SPDXRef-File-certificates GENERATED_FROM \
			SPDXRef-Package-ca-certificates ;;
		*) relationship SPDXRef-File-sidekey STATIC_LINK "$(id "Package-${name%%:*}")" ;;
		esac
	done <<<"$parts"
	echo
}

# `curl FOLDER`, or `DATABASE PACKAGE`: what the two files of the image are made of, once each.
find_parts() {
	local path
	while read -r path; do
		case $path in
		*/libcurl.a) echo "curl ${path%/lib/libcurl.a}" ;;
		*) owner "$path" ;;
		esac
	done < <(linked)
	echo "/var/lib/dpkg ca-certificates"
}

[ $# -eq 3 ] || die "usage: deploy/sbom.sh MAP PROGRAM VERSION"
map=$1 program=$2 version=$3
parts=$(find_parts | sort -u)
hash=$(sha256sum <"$program" | cut -c1-64)
cat <<END
{
  "spdxVersion": "SPDX-2.3",
  "dataLicense": "CC0-1.0",
  "SPDXID": "SPDXRef-DOCUMENT",
  "name": "sidekey-$version",
  "documentNamespace": "https://spdx.org/spdxdocs/sidekey-$version-$hash",
  "creationInfo": {
    "created": "$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%dT%H:%M:%SZ)",
    "creators": ["Tool: sidekey-deploy-sbom.sh-$version"]
  },
  "packages": [
$(packages)
  ],
  "files": [
$(file SPDXRef-File-sidekey ./sidekey "$program"),
$(file SPDXRef-File-certificates ".$bundle" "$bundle")
  ],
  "relationships": [
$(relationships)
  ]
}
END
