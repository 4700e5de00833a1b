package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// maxCABytes is far above what a bundle of authorities has.
const maxCABytes = 4 << 20

// readAuthorities adds the authorities of a PEM file to the system's.
func readAuthorities(path string) (*x509.CertPool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() || info.Size() > maxCABytes {
		return nil, errors.New("it is a folder, or too large for certificates")
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's authorities: %w", err)
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("there is no PEM certificate in it")
	}
	return pool, nil
}

// parseProxy reads the address of a proxy. Credentials would be seen on the command line, so they are refused.
func parseProxy(v string) (*url.URL, error) {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil {
		return nil, errors.New("--egress-proxy must look like http://proxy.example:3128, without user and password")
	}
	return u, nil
}
