package presence

import (
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/presence/rtcpxr"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// publish takes a voice quality report (RFC 6035, RFC 3903). Nothing of it stays here: each report
// is whole, so its entity tag names no state and it expires at once.
func (s *Server) publish(tx Transaction, dev tel.DeviceID) *refusal {
	req := tx.Request()
	if p, _, ok := event(req); !ok || p != Quality || s.cfg.Quality == nil {
		return refuse(489, "Bad Event", sip.NewHeader("Allow-Events", string(Quality)))
	}
	if _, has := value(req, "sip-if-match", ""); has { // RFC 3903 section 6 step 3
		return refuse(412, "Conditional Request Failed")
	}
	if kind, _ := contentType(req); kind != rtcpxr.MediaType {
		return refuse(sip.StatusUnsupportedMediaType, "Unsupported Media Type", sip.NewHeader("Accept", rtcpxr.MediaType))
	}
	if encoded(req) {
		return refuse(sip.StatusUnsupportedMediaType, "Unsupported Encoding", sip.NewHeader("Accept-Encoding", "identity"))
	}
	r, err := rtcpxr.Parse(req.Body())
	switch {
	case errors.Is(err, rtcpxr.ErrSize):
		return refuse(sip.StatusRequestEntityTooLarge, "Report Too Long")
	case err != nil:
		s.cfg.Log.Info("voice quality report not read", "device", dev, "err", err)
		return refuse(sip.StatusBadRequest, "Malformed Report")
	}
	if !s.inbox.put(func(o *owner) { o.publish(tx, Report{Report: r, Device: dev, At: time.Now()}) }, mailboxLimit) {
		return busy()
	}
	return nil
}

// publish passes a report on, unless its phone sends too many: each one is written down.
func (o *owner) publish(tx Transaction, r Report) {
	if wait := o.papers.spend(r.Device, time.Now()); wait > 0 {
		o.s.refuse(tx, refuse(sip.StatusTemporarilyUnavailable, "Too Many Reports", retryIn(wait)))
		return
	}
	o.s.count.reports.Add(1)
	o.s.cfg.Quality(r)
	res := sip.NewResponseFromRequest(tx.Request(), sip.StatusOK, "OK", nil)
	res.AppendHeader(sip.NewHeader("SIP-ETag", rand.Text()[:12]))
	res.AppendHeader(sip.NewHeader("Expires", "0"))
	o.s.respond(tx, res)
}

func encoded(req *sip.Request) bool {
	v, ok := value(req, "content-encoding", "e")
	return ok && v != "" && !strings.EqualFold(v, "identity")
}
