package web

import (
	"bytes"
	"cmp"
	"net/http"
	"net/url"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/setup"
)

// mostFollowers bounds the open streams of test calls: each holds a connection.
const mostFollowers = 16

// followBeat is how often a stream that has nothing new says that it lives.
const followBeat = time.Second

// follow streams the way of a call as it goes it; with "tests", how the tests of lines stand.
func (s *server) follow(w http.ResponseWriter, v *visit) {
	if s.followers.Add(1) > mostFollowers {
		s.followers.Add(-1)
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too many viewers", http.StatusServiceUnavailable)
		return
	}
	defer s.followers.Add(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	send := func(event string, body []byte) bool {
		_ = out.SetWriteDeadline(time.Now().Add(writeLimit))
		_, err := w.Write(sentEvent(event, body))
		return err == nil && out.Flush() == nil
	}
	if !send("version", []byte(page.Version())) {
		return
	}
	call := tel.CallID(v.URL.Query().Get("call"))
	beat := time.NewTicker(followBeat)
	defer beat.Stop()
	var shown []byte
	asked := time.Now()
	for {
		t, known, changed := s.Setup.Trail(call)
		if !known {
			t.Call = call
		}
		var way *page.Trail
		var tests []page.LineTest
		if v.URL.Query().Has("tests") {
			tests = s.lineTests()
		} else {
			way = s.named(t)
		}
		html, err := s.pages[v.lang].SetupParts(way, tests)
		if err != nil {
			s.Log.Error("the way of a call cannot be shown", "err", err)
			return
		}
		if !bytes.Equal(html, shown) {
			if shown = html; !send("part", html) {
				return
			}
		}
		select {
		case <-v.Context().Done():
			return
		case <-changed:
			continue
		case now := <-beat.C:
			if !send("clock", []byte(now.UTC().Format("2006-01-02T15:04:05.000Z"))) {
				return
			}
		}
		if time.Since(asked) >= askAgain {
			asked = time.Now()
			if _, ok := s.Accounts.Who(v.token, v.from.Sealed); !ok {
				return
			}
		}
	}
}

// lineTests are the tests of all lines, also those that have not begun: what the screen shows first stays where it is
// when the stream begins, under whose finger it may be.
func (s *server) lineTests() (all []page.LineTest) {
	x := &turn{server: s, cfg: s.Settings.Current()}
	tests := s.Setup.Tests()
	for _, l := range append(x.lineNames("trunk:"), x.lineNames("line:")...) {
		t := tests[l.ID]
		t.Line, t.Name = l.ID, l.Name
		t.Out, t.In = cmp.Or(t.Out, "none"), cmp.Or(t.In, "none")
		all = append(all, t)
	}
	return all
}

// sentEvent writes one server-sent event; every line of the body needs its own "data:".
func sentEvent(event string, body []byte) []byte {
	out := []byte("event: " + event + "\n")
	for line := range bytes.Lines(bytes.TrimRight(body, "\n")) {
		out = append(append(append(out, "data: "...), bytes.TrimRight(line, "\r\n")...), '\n')
	}
	return append(out, '\n')
}

// callMePage is where somebody calls a queue as a customer, and sees where the call is.
func (s *server) callMePage(w http.ResponseWriter, v *visit) {
	if x := s.customer(w, v); x != nil {
		x.showCallMe()
	}
}

// callMeNow has the box ring whoever asks, who then is a caller of the queue.
func (s *server) callMeNow(w http.ResponseWriter, v *visit) {
	x := s.customer(w, v)
	if x == nil || !s.form(w, v) {
		return
	}
	if x.v.PostForm.Get("do") == "" { // the button on the page of the queue
		redirect(w, v, x.p.Back+"/call")
		return
	}
	if call := x.callMe(tel.QueueID(v.PathValue("id"))); call != "" {
		redirect(w, v, x.p.Back+"/call?call="+url.QueryEscape(string(call)))
		return
	}
	x.showCallMe()
}

// customer is a turn about a queue; nil when there is none, which was answered then.
func (s *server) customer(w http.ResponseWriter, v *visit) *turn {
	x := &turn{server: s, v: v, w: w, ctx: v.Context(), step: setup.TestCall, cfg: s.Settings.Current(), status: http.StatusOK, wrong: map[string]page.Said{}}
	id := v.PathValue("id")
	if x.p.Name = nameOf(x.cfg, "queues", id); x.p.Name == "" {
		s.refuse(w, v, http.StatusNotFound, "gone")
		return nil
	}
	x.p.Back = "/queues/" + id
	return x
}

func (x *turn) showCallMe() {
	id := tel.QueueID(x.v.PathValue("id"))
	call := x.call()
	x.p.Reader, x.p.Box, x.p.Key = x.reader(x.v), x.Name(), "callme"
	x.p.Reader.Path = x.p.Back + "/call"
	x.p.Live, x.p.Trail = "/setup/live?call="+url.QueryEscape(string(call))+"&lang="+x.v.lang, &page.Trail{}
	if call != "" {
		x.p.Trail = x.trail(call)
	}
	x.addForm(callMeForm(id, x.extensions(), x.Setup.Setup.State().Mobile))
	x.p.Forms[0].Action = x.p.Back + "/call"
	x.elsewhere()
	html, err := x.pages[x.v.lang].CallMe(x.p, time.Now())
	x.server.show(x.w, x.status, html, err)
}
