package config

import "slices"

// SRTP says how secret the audio of a phone or trunk is: SRTP with keys in the signalling (RFC 4568),
// which keeps a secret only where the signalling is TLS. It is applied to new calls.
type SRTP string

// The choices.
const (
	SRTPOff      SRTP = "off"      // never
	SRTPOptional SRTP = "optional" // when they offer it, and offered by us over TLS; plain audio is taken too
	SRTPRequired SRTP = "required" // calls without it are refused with 488
)

func (v *validator) srtp(path string, s SRTP) {
	if !slices.Contains([]SRTP{SRTPOff, SRTPOptional, SRTPRequired}, s) {
		v.found.add(path+".srtp", "choice", "%q is not one of off, optional, required", s)
	}
}

// normaliseSRTP fills the defaults: a phone that knows SRTP gets it, a carrier must be known to.
func (c *Config) normaliseSRTP() {
	for i := range c.Phones {
		if p := &c.Phones[i]; p.SRTP == "" {
			p.SRTP = SRTPOptional
		}
	}
	for i := range c.Trunks {
		if t := &c.Trunks[i]; t.SRTP == "" && t.Preset == "" {
			t.SRTP = SRTPOff
		}
	}
}
