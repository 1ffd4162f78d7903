package settingstest

import (
	"strings"

	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// GoodChain and GoodKey are what Certificate takes.
const (
	GoodChain = "-----BEGIN CERTIFICATE-----"
	GoodKey   = "-----BEGIN PRIVATE KEY-----"
)

// Certificate is the certificate of a box in memory. Its fields may be set before the page is asked.
type Certificate struct {
	Stands page.CertificateState
	Err    error // of the disk
}

// Port is the page's way to it.
func (c *Certificate) Port() settings.Certificate {
	was := c.Stands.Kind
	back := func() (settings.Refusal, error) {
		if !c.Stands.Undo {
			return settings.Refusal{Sentence: "certificate.first"}, c.Err
		}
		c.Stands.Kind = was
		return settings.Refusal{}, c.Err
	}
	return settings.Certificate{
		State: func() page.CertificateState { return c.Stands },
		Give: func(chain, key []byte) (settings.Refusal, error) {
			if c.Err != nil {
				return settings.Refusal{}, c.Err
			}
			if !strings.HasPrefix(string(chain), GoodChain) {
				return settings.Refusal{Sentence: "certificate.unread"}, nil
			}
			if string(key) != GoodKey {
				return settings.Refusal{Sentence: "certificate.pair", Detail: "the public key differs"}, nil
			}
			was, c.Stands.Kind, c.Stands.Undo = c.Stands.Kind, "given", true
			return settings.Refusal{}, nil
		},
		Undo: back, Withdraw: back,
	}
}
