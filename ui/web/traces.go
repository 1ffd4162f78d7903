package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

// traces shows the owner of what RTP is kept, and the form to permit it.
func (s *server) traces(w http.ResponseWriter, v *visit) {
	s.tracesPage(w, v, http.StatusOK, page.Traces{})
}

func (s *server) tracesPage(w http.ResponseWriter, v *visit, status int, p page.Traces) {
	p.Reader, p.Box, p.RTPTrace = s.reader(v), s.Name(), s.Traces.Now()
	html, err := s.pages[v.lang].Traces(p, time.Now())
	s.show(w, status, html, err)
}

// permitTrace begins to keep the RTP of a phone, trunk or line.
func (s *server) permitTrace(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	minutes, _ := strconv.Atoi(v.PostForm.Get("span")) // 0 is none of the choices
	p := page.Traces{Of: v.PostForm.Get("of"), Why: oneLine(v.PostForm.Get("why")), Span: time.Duration(minutes) * time.Minute}
	if minutes < 0 || minutes > int(24*time.Hour/time.Minute) {
		p.Span = 0
	}
	if refused := s.Traces.Permit(p.Of, p.Span, p.Why, by(v)); refused.Sentence != "" {
		p.Said = s.sentence(refused.Sentence)
		s.tracesPage(w, v, http.StatusConflict, p)
		return
	}
	redirect(w, v, "/traces")
}

// stopTrace ends what is permitted.
func (s *server) stopTrace(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	s.Traces.Stop(by(v))
	redirect(w, v, "/traces")
}

// deleteTraces deletes what is kept.
func (s *server) deleteTraces(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	s.Traces.Delete(by(v))
	redirect(w, v, "/traces")
}

// rtpCapture gives the owner the SIP messages and the RTP of a call as a file for programs that read captures.
func (s *server) rtpCapture(w http.ResponseWriter, v *visit) {
	call := tel.CallID(v.PathValue("call"))
	if !s.Traces.Has(call) {
		s.refuse(w, v, http.StatusNotFound, "traces.gone")
		return
	}
	w.Header().Set("Content-Type", "application/x-pcapng")
	w.Header().Set("Content-Disposition", `attachment; filename="pronto-rtp.pcapng"`)
	w.Header().Set("Cache-Control", "no-store")
	if _, err := s.Traces.Capture(w, call, by(v)); err != nil {
		s.Log.Info("a capture is not taken to its end", "err", err)
	}
}

// tracedFact says at the card of a phone's person, a trunk or a line that its RTP is kept; none where it is not.
func (s *server) tracedFact(v *visit, of ...string) (facts []page.Fact, links []page.Link) {
	on := s.Traces.Now().On
	for _, x := range of {
		if on == nil || on.Of != x {
			continue
		}
		facts = append(facts, page.Fact{Key: "traces.row", Text: on.Until.Format("2006-01-02 15:04")})
		if v.user.May(access.Own) {
			links = append(links, page.Link{Key: "traces", Path: "/traces"})
		}
	}
	return facts, links
}
