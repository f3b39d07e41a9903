/* SPDX-License-Identifier: Apache-2.0 */
#include "box/tls_fault.h"

static const struct {
	const char *name, *why;
} faults[TLS_FAULTS] = {
	[TLS_FAULT_NONE] = {"", ""},
	[TLS_FAULT_CA] = {"UnusableCa", "`tls.ca` holds no certificate in PEM form"},
	[TLS_FAULT_CERT] = {"UnusableClientCert",
			    "`tls.clientCert` holds no certificate in PEM form"},
	[TLS_FAULT_KEY] = {"UnusableClientKey",
			   "`tls.clientKey` holds no private key in PEM form, or one under a "
			   "passphrase"},
	[TLS_FAULT_PAIR] = {"ClientKeyMismatch",
			    "`tls.clientKey` holds the key of another certificate than that in "
			    "`tls.clientCert`"},
	[TLS_FAULT_LENGTH] = {"ClientCertTooLong",
			      "`tls.clientCert` and `tls.clientKey` hold more than 64 KiB"},
};

const char *
tls_fault_name(enum tls_fault f)
{
	return faults[f].name;
}

const char *
tls_fault_why(enum tls_fault f)
{
	return faults[f].why;
}
