package appliance

import (
	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/sip/presence"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// click begins the call that a person asks for at a screen (presence.Config.Call): nobody can let the
// phones of others ring, and who may not dial a number at a phone may not reach it so.
func (b *Box) click(c presence.Clicked) (status int) {
	own := b.numbering.Load().extensionAt(c.Device)
	if c.User != string(c.Device) && c.User != string(own) {
		return 403
	}
	cause := b.calls.Click(call.Click{Call: c.Call, Device: c.Device, Number: c.Number, Silent: c.Silent})
	if cause != tel.CauseNone {
		return cause.SIPStatus()
	}
	return 0
}
