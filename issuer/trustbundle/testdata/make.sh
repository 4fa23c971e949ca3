#!/bin/bash
# Makes the files beside it anew, as OpenSSL writes them. The two encrypted keys have the passphrase "secret".
set -e
cd "$(dirname "$0")"
openssl ecparam -name prime256v1 -genkey -noout -out sec1.key
openssl req -x509 -new -key sec1.key -sha256 -days 3650 -subj "/O=Example Corp/CN=Example Mesh Root" -addext "keyUsage=critical,keyCertSign,cRLSign" -out plain.crt
openssl x509 -in plain.crt -text -out x509-text.crt
(openssl ecparam -name prime256v1; cat sec1.key) > ec-parameters.key
(openssl ecparam -name secp384r1; cat sec1.key) > ec-parameters-other.key
openssl ec -in sec1.key -text -out ec-text.key
openssl pkcs8 -topk8 -nocrypt -in sec1.key -out pkcs8.key
openssl pkcs8 -topk8 -in sec1.key -passout pass:secret -out encrypted-pkcs8.key
openssl ec -in sec1.key -aes256 -passout pass:secret -out encrypted-sec1.key
openssl pkcs12 -export -inkey sec1.key -in plain.crt -name mesh -passout pass: -out all.p12
openssl pkcs12 -in all.p12 -passin pass: -nodes -out pkcs12-nodes.pem
openssl pkcs12 -in all.p12 -passin pass: -nokeys -out pkcs12-nokeys.crt
openssl pkcs12 -in all.p12 -passin pass: -nocerts -nodes -out pkcs12-nocerts.key
rm all.p12
openssl x509 -in plain.crt -trustout -addtrust serverAuth -out trusted.crt
openssl crl2pkcs7 -nocrl -certfile plain.crt -out pkcs7.pem
openssl x509 -in plain.crt -outform der -out der.crt
openssl genrsa -traditional -out pkcs1.key 2048
openssl pkey -in sec1.key -pubout -out public.key
openssl s_server -cert plain.crt -key sec1.key -accept 24433 -quiet & server=$!
trap 'kill $server' EXIT
until openssl s_client -connect localhost:24433 -showcerts </dev/null > s_client.crt; do :; done
