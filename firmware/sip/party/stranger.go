package party

import (
	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// open reports a call that needs no password.
func (o *Office) open(req *sip.Request, flow stack.Flow) bool {
	if o.cfg.Open == nil || req.Method != sip.INVITE {
		return false
	}
	n, err := dialog.UserNumber(req.Recipient)
	return err == nil && o.cfg.Open(n, flow.Remote.Addr().Unmap())
}

// fromAnybody takes a call that needs no password. A phone that is registered from where the call comes
// is named, so that people at the site learn where the call was made; others are "stranger:ADDRESS".
func (o *Office) fromAnybody(s *dialog.Session) {
	if _, ok := s.Replaces(); ok { // it may call, and not take the calls of others
		o.discard(s)
		s.Reject(403)
		return
	}
	dialed, err := dialog.UserNumber(s.Request().Recipient)
	if err != nil {
		o.discard(s)
		s.Reject(404)
		return
	}
	in := call.Arrival{From: "stranger:" + s.Flow().Remote.Addr().Unmap().String(), Dialed: dialed}
	if device := o.registered(s.Request(), s.Flow()); device != "" {
		in.From, in.Device, in.Caller = "phone:"+string(device), device, tel.Number(device)
	}
	o.arrive(s, in, in.From, nil)
}

// registered is the phone that a request says to come from, if it is registered at that address.
func (o *Office) registered(req *sip.Request, flow stack.Flow) tel.DeviceID {
	from := req.From()
	if from == nil || from.Address.User == "" {
		return ""
	}
	device := tel.DeviceID(from.Address.User)
	for _, flows := range o.cfg.Phones.Flows(device) {
		for _, b := range flows {
			if b.Flow.Remote == flow.Remote {
				return device
			}
		}
	}
	return ""
}
