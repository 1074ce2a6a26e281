/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * X.509 by GnuTLS, which is here already for the TLS of libmicrohttpd; see certificate.h.
 */
#include "agent/cluster/certificate.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"

#define SERIAL_SIZE 16
#define DAY_SECONDS (24 * 3600)
#define SKEW_SECONDS DAY_SECONDS /* clocks of hosts differ; a certificate is valid from yesterday */
#define LIFE_DAYS 3650

static int tls_error(struct error *error, int result, const char *what)
{
	return error_set(error, result == GNUTLS_E_MEMORY_ERROR ? ENOMEM : EINVAL, NULL, "%s: %s",
			 what, gnutls_strerror(result));
}

void certificate_pair_fini(struct certificate_pair *pair)
{
	if (pair->key)
		explicit_bzero(pair->key, strlen(pair->key));
	free(pair->key);
	free(pair->certificate);
	*pair = (struct certificate_pair){ 0 };
}

/* PEM as text of ours; the library's copy is wiped, for it may be a key. */
static char *take_text(gnutls_datum_t *datum)
{
	char *text = xstrndup((const char *)datum->data, datum->size);

	explicit_bzero(datum->data, datum->size);
	gnutls_free(datum->data);
	return text;
}

static gnutls_datum_t datum_of(const char *text)
{
	return (gnutls_datum_t){ (unsigned char *)text, (unsigned int)strlen(text) };
}

static int key_new(gnutls_x509_privkey_t *key)
{
	int result = gnutls_x509_privkey_init(key);

	if (!result)
		result = gnutls_x509_privkey_generate(
			*key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	return result;
}

static int set_validity(gnutls_x509_crt_t certificate)
{
	unsigned char serial[SERIAL_SIZE];
	time_t now = time(NULL);
	int result = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));

	serial[0] &= 0x7f; /* a positive number */
	if (!result)
		result = gnutls_x509_crt_set_version(certificate, 3);
	if (!result)
		result = gnutls_x509_crt_set_serial(certificate, serial, sizeof(serial));
	if (!result)
		result = gnutls_x509_crt_set_activation_time(certificate, now - SKEW_SECONDS);
	if (!result)
		result = gnutls_x509_crt_set_expiration_time(certificate,
							     now + (time_t)LIFE_DAYS * DAY_SECONDS);
	return result;
}

static int authority_fill(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key)
{
	static const char name[] = "Weft cluster";
	unsigned char id[20];
	size_t id_size = sizeof(id);
	int result = set_validity(certificate);

	if (!result)
		result = gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0,
						       name, sizeof(name) - 1);
	if (!result)
		result = gnutls_x509_crt_set_key(certificate, key);
	if (!result)
		result = gnutls_x509_crt_set_basic_constraints(certificate, 1, 0);
	if (!result)
		result = gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_KEY_CERT_SIGN |
									    GNUTLS_KEY_CRL_SIGN);
	if (!result)
		result = gnutls_x509_crt_get_key_id(certificate, 0, id, &id_size);
	if (!result)
		result = gnutls_x509_crt_set_subject_key_id(certificate, id, id_size);
	if (!result)
		result = gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0);
	return result;
}

int certificate_authority_new(struct certificate_pair *pair, struct error *error)
{
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crt_t certificate = NULL;
	gnutls_datum_t key_text = { 0 }, text = { 0 };
	int result = key_new(&key);

	if (!result)
		result = gnutls_x509_crt_init(&certificate);
	if (!result)
		result = authority_fill(certificate, key);
	if (!result)
		result = gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &text);
	if (!result)
		result = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
							   GNUTLS_PKCS_PLAIN, &key_text);
	if (!result) {
		pair->certificate = take_text(&text);
		pair->key = take_text(&key_text);
	} else {
		gnutls_free(text.data);
	}
	gnutls_x509_crt_deinit(certificate);
	gnutls_x509_privkey_deinit(key);
	return result ? tls_error(error, result, "the authority cannot be made") : 0;
}

static int request_fill(gnutls_x509_crq_t request, gnutls_x509_privkey_t key, const char *name)
{
	int result = gnutls_x509_crq_set_version(request, 1);

	if (!result)
		result = gnutls_x509_crq_set_dn_by_oid(request, GNUTLS_OID_X520_COMMON_NAME, 0,
						       name, (unsigned int)strlen(name));
	if (!result)
		result = gnutls_x509_crq_set_key(request, key);
	if (!result)
		result = gnutls_x509_crq_sign2(request, key, GNUTLS_DIG_SHA256, 0);
	return result;
}

int certificate_request_new(const char *name, char **key_text, char **request_text,
			    struct error *error)
{
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crq_t request = NULL;
	gnutls_datum_t key_datum = { 0 }, request_datum = { 0 };
	int result = key_new(&key);

	if (!result)
		result = gnutls_x509_crq_init(&request);
	if (!result)
		result = request_fill(request, key, name);
	if (!result)
		result = gnutls_x509_crq_export2(request, GNUTLS_X509_FMT_PEM, &request_datum);
	if (!result)
		result = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
							   GNUTLS_PKCS_PLAIN, &key_datum);
	if (!result) {
		*key_text = take_text(&key_datum);
		*request_text = take_text(&request_datum);
	} else {
		gnutls_free(request_datum.data);
	}
	gnutls_x509_crq_deinit(request);
	gnutls_x509_privkey_deinit(key);
	return result ? tls_error(error, result, "the request for a certificate cannot be made")
		      : 0;
}

/* ---- issuing ---- */

static int add_address(gnutls_x509_crt_t certificate, const struct ip_address *address)
{
	bool ipv4 = ip_address_is_ipv4(address);

	return gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS,
						    address->byte + (ipv4 ? 12 : 0), ipv4 ? 4 : 16,
						    GNUTLS_FSAN_APPEND);
}

static int add_names(gnutls_x509_crt_t certificate, const char *name,
		     const struct ip_address *addresses, size_t count)
{
	static const char *const loopback[] = { "127.0.0.1", "::1" };
	struct ip_address address;
	int result = gnutls_x509_crt_set_subject_alt_name(
		certificate, GNUTLS_SAN_DNSNAME, name, (unsigned int)strlen(name), GNUTLS_FSAN_SET);

	for (size_t i = 0; !result && i < ARRAY_SIZE(loopback); i++) {
		ip_address_parse(loopback[i], &address);
		result = add_address(certificate, &address);
	}
	for (size_t i = 0; !result && i < count; i++)
		result = add_address(certificate, &addresses[i]);
	return result;
}

static int host_fill(gnutls_x509_crt_t certificate, gnutls_x509_crq_t request, const char *name,
		     const struct ip_address *addresses, size_t count)
{
	int result = set_validity(certificate);

	if (!result)
		result = gnutls_x509_crt_set_crq(certificate, request);
	/* The subject is what the issuer says; only the key is the request's. */
	if (!result)
		result = gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0,
						       name, (unsigned int)strlen(name));
	if (!result)
		result = gnutls_x509_crt_set_basic_constraints(certificate, 0, -1);
	if (!result)
		result = gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (!result)
		result = gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_SERVER,
							     0);
	if (!result)
		result = gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_CLIENT,
							     0);
	return result ? result : add_names(certificate, name, addresses, count);
}

static int issue(gnutls_x509_crt_t certificate, gnutls_x509_crt_t issuer, gnutls_x509_privkey_t key,
		 gnutls_datum_t *text)
{
	int result = gnutls_x509_crt_sign2(certificate, issuer, key, GNUTLS_DIG_SHA256, 0);

	return result ? result : gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, text);
}

int certificate_issue(const struct certificate_pair *authority, const char *request_text,
		      const char *name, const struct ip_address *addresses, size_t address_count,
		      char **certificate_text, struct error *error)
{
	const gnutls_datum_t request_datum = datum_of(request_text);
	const gnutls_datum_t issuer_datum = datum_of(authority->certificate);
	const gnutls_datum_t key_datum = datum_of(authority->key);
	gnutls_x509_crq_t request = NULL;
	gnutls_x509_crt_t issuer = NULL, certificate = NULL;
	gnutls_x509_privkey_t key = NULL;
	gnutls_datum_t text = { 0 };
	int result = gnutls_x509_crq_init(&request);

	if (!result)
		result = gnutls_x509_crq_import(request, &request_datum, GNUTLS_X509_FMT_PEM);
	if (!result)
		result = gnutls_x509_crq_verify(request, 0);
	if (!result)
		result = gnutls_x509_crt_init(&issuer);
	if (!result)
		result = gnutls_x509_crt_import(issuer, &issuer_datum, GNUTLS_X509_FMT_PEM);
	if (!result)
		result = gnutls_x509_privkey_init(&key);
	if (!result)
		result = gnutls_x509_privkey_import(key, &key_datum, GNUTLS_X509_FMT_PEM);
	if (!result)
		result = gnutls_x509_crt_init(&certificate);
	if (!result)
		result = host_fill(certificate, request, name, addresses, address_count);
	if (!result)
		result = issue(certificate, issuer, key, &text);
	if (!result)
		*certificate_text = take_text(&text);
	gnutls_x509_crt_deinit(certificate);
	gnutls_x509_privkey_deinit(key);
	gnutls_x509_crt_deinit(issuer);
	gnutls_x509_crq_deinit(request);
	return result ? tls_error(error, result, "the certificate cannot be issued") : 0;
}

int certificate_hash(const char *text, char hash[CERTIFICATE_HASH_SIZE], struct error *error)
{
	const gnutls_datum_t datum = datum_of(text);
	gnutls_x509_crt_t certificate = NULL;
	unsigned char digest[(CERTIFICATE_HASH_SIZE - 1) / 2];
	size_t size = sizeof(digest);
	int result = gnutls_x509_crt_init(&certificate);

	if (!result)
		result = gnutls_x509_crt_import(certificate, &datum, GNUTLS_X509_FMT_PEM);
	if (!result)
		result = gnutls_x509_crt_get_fingerprint(certificate, GNUTLS_DIG_SHA256, digest,
							 &size);
	gnutls_x509_crt_deinit(certificate);
	if (result)
		return tls_error(error, result, "the certificate cannot be read");
	for (size_t i = 0; i < size; i++)
		snprintf(hash + 2 * i, 3, "%02x", digest[i]);
	return 0;
}
