package settings

import "github.com/pronto-pbx/pronto/ui/page"

// Certificate is the page's way to the certificate with which the box proves itself.
type Certificate struct {
	State func() page.CertificateState
	// Give serves an uploaded chain with its key from now on, if it can be used.
	Give func(chain, key []byte) (Refusal, error)
	// Undo serves the one before; Withdraw the box's own.
	Undo, Withdraw func() (Refusal, error)
}
