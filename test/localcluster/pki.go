package localcluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// certLifetime outlives any test run and any demo left open over a holiday, but not an archived folder.
	certLifetime = 30 * 24 * time.Hour
	// clockSkew dates certificates back: the verifier's clock is ours, but may be stepped between two reads.
	clockSkew = time.Hour
)

// serviceIP is the first address of serviceRange, which kube-apiserver claims for itself.
const (
	serviceRange = "10.96.0.0/16"
	serviceIP    = "10.96.0.1"
)

// authority is a certificate authority with its key in memory.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// keyPair is a PEM-encoded certificate and its private key.
type keyPair struct {
	cert, key []byte
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := certTemplate(pkix.Name{CommonName: "localcluster"})
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{cert: cert, key: key, pem: encodePEM("CERTIFICATE", der)}, nil
}

// client issues a client certificate. Kubernetes reads the common name as user and the organizations as groups.
func (a *authority) client(user string, groups ...string) (keyPair, error) {
	return a.issue(pkix.Name{CommonName: user, Organization: groups}, x509.ExtKeyUsageClientAuth, nil, nil)
}

// apiserver issues the serving certificate of kube-apiserver.
func (a *authority) apiserver() (keyPair, error) {
	return a.issue(pkix.Name{CommonName: "kube-apiserver"}, x509.ExtKeyUsageServerAuth,
		[]string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		[]net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP(serviceIP)})
}

func (a *authority) issue(subject pkix.Name, usage x509.ExtKeyUsage, names []string, ips []net.IP) (keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, err
	}
	template, err := certTemplate(subject)
	if err != nil {
		return keyPair{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{usage}
	template.DNSNames = names
	template.IPAddresses = ips
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return keyPair{}, err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return keyPair{}, err
	}
	return keyPair{cert: encodePEM("CERTIFICATE", der), key: keyPEM}, nil
}

func certTemplate(subject pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		NotBefore:    now.Add(-clockSkew),
		NotAfter:     now.Add(certLifetime),
	}, nil
}

// newServiceAccountKey makes the key that signs service account tokens, and its public half.
func newServiceAccountKey() (private, public []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	private, err = encodeKey(key)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, err
	}
	return private, encodePEM("PUBLIC KEY", der), nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return encodePEM("EC PRIVATE KEY", der), nil
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// pki is what the processes read from disk, and the admin's credentials that only we hold.
type pki struct {
	authority *authority
	admin     keyPair
	manager   keyPair
}

// File names inside the cluster's folder; the processes run with that folder as working directory.
const (
	fileCA           = "ca.crt"
	fileServingCert  = "apiserver.crt"
	fileServingKey   = "apiserver.key"
	fileAccountKey   = "service-account.key"
	fileAccountPub   = "service-account.pub"
	fileAuditPolicy  = "audit-policy.yaml"
	fileAuditLog     = "audit.log"
	fileAdminConfig  = "admin.kubeconfig"
	fileManagerCreds = "controller-manager.kubeconfig"
)

// writePKI makes all keys and certificates and writes those that the processes need into dir.
func writePKI(dir string) (*pki, error) {
	ca, err := newAuthority()
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	serving, err := ca.apiserver()
	if err != nil {
		return nil, fmt.Errorf("serving certificate: %w", err)
	}
	admin, err := ca.client("localcluster-admin", "system:masters")
	if err != nil {
		return nil, fmt.Errorf("admin certificate: %w", err)
	}
	manager, err := ca.client("system:kube-controller-manager")
	if err != nil {
		return nil, fmt.Errorf("controller-manager certificate: %w", err)
	}
	accountKey, accountPub, err := newServiceAccountKey()
	if err != nil {
		return nil, fmt.Errorf("service account key: %w", err)
	}
	for name, content := range map[string][]byte{
		fileCA:          ca.pem,
		fileServingCert: serving.cert,
		fileServingKey:  serving.key,
		fileAccountKey:  accountKey,
		fileAccountPub:  accountPub,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	return &pki{authority: ca, admin: admin, manager: manager}, nil
}
