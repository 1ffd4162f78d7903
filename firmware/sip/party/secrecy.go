package party

import (
	"crypto/rand"

	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// secure adds to our side of a session how secret its audio shall be, and keys that no other leg has.
func (o *Office) secure(l sdp.Local, party string, flow stack.Flow) sdp.Local {
	if o.cfg.Secure == nil {
		return l
	}
	if l.Security = o.cfg.Secure(party, flow); l.Security != sdp.SecurityOff {
		l.Keys, _ = sdp.DrawKeys(rand.Reader) // which never fails since Go 1.24
	}
	return l
}
