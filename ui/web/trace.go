package web

import (
	"net/http"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

// sipTrace shows the SIP messages of a call to who configures the box.
func (s *server) sipTrace(w http.ResponseWriter, v *visit) {
	call := tel.CallID(v.PathValue("call"))
	t := page.Trace{Reader: s.reader(v), Box: s.Name(), Call: call, Rungs: s.Ladder(call), RTP: v.user.May(access.Own) && s.Traces.Has(call)}
	html, err := s.pages[v.lang].Trace(t, time.Now())
	s.show(w, http.StatusOK, html, err)
}

// sipCapture gives the same as a file for programs that read captures.
func (s *server) sipCapture(w http.ResponseWriter, v *visit) {
	call := tel.CallID(v.PathValue("call"))
	if len(s.Ladder(call)) == 0 {
		s.refuse(w, v, http.StatusNotFound, "trace.gone")
		return
	}
	w.Header().Set("Content-Type", "application/x-pcapng")
	w.Header().Set("Content-Disposition", `attachment; filename="pronto-sip.pcapng"`)
	w.Header().Set("Cache-Control", "no-store")
	if err := s.Capture(w, call); err != nil {
		s.Log.Info("a capture is not taken to its end", "err", err)
	}
}
