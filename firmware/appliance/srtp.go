package appliance

import (
	"strings"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// secure is how secret the audio towards a party shall be.
func (b *Box) secure(party string, flow stack.Flow) sdp.Security {
	if ofSelfCall(party) {
		return sdp.SecurityOff // what never leaves the machine
	}
	n := b.numbering.Load()
	if strings.HasPrefix(party, "phone:") && flow.Remote.IsValid() && !n.lan(flow.Remote.Addr()) {
		return sdp.SecurityRequired // a home worker's voice crosses other people's networks
	}
	return secrecy(&n.cfg, party, flow)
}

// secrecy reads the wish for a party. An optional offer of ours goes only over TLS: elsewhere anybody
// on the way reads the keys, and an old phone may stumble over lines that it does not know.
func secrecy(c *config.Config, party string, flow stack.Flow) sdp.Security {
	mode := config.SRTPOff
	switch kind, name, _ := strings.Cut(party, ":"); kind {
	case "phone":
		for i := range c.Phones {
			if string(c.Phones[i].ID) == name {
				mode = c.Phones[i].SRTP
			}
		}
	case "stranger": // a call for help is taken in whatever way the phone speaks
		mode = config.SRTPOptional
	case "trunk":
		for i := range c.Trunks {
			if string(c.Trunks[i].ID) == name {
				if t, err := c.Trunks[i].Filled(); err == nil {
					mode = t.SRTP
				}
			}
		}
	}
	switch {
	case mode == config.SRTPRequired:
		return sdp.SecurityRequired
	case mode == config.SRTPOptional && flow.Transport == "tls":
		return sdp.SecurityOffered
	case mode == config.SRTPOptional:
		return sdp.SecurityAccepted
	}
	return sdp.SecurityOff
}
