package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/phone"
)

// mostOffer bounds the body of an offer; what is inside is bounded by who reads it.
const mostOffer = 32 << 10

// phoneOf is the phone of who asks; ok is false when there is none, which was said then.
func (s *server) phoneOf(w http.ResponseWriter, v *visit) (d tel.DeviceID, ok bool) {
	if v.user.Agent != "" {
		if d, ok = s.Phone.Device(v.user.Agent); ok {
			return d, true
		}
	}
	s.notDone(w, v, http.StatusNotFound, "softphone.none")
	return "", false
}

// notDone says a sentence, to a script as JSON.
func (s *server) notDone(w http.ResponseWriter, v *visit, status int, sentence string) {
	if wantsJSON(v) {
		s.tell(w, v, status, map[string]string{"error": s.pages[v.lang].Say(s.sentence(sentence))})
		return
	}
	s.refuse(w, v, status, sentence)
}

func wantsJSON(v *visit) bool { return strings.Contains(v.Header.Get("Accept"), "application/json") }

// softphone is the page.
func (s *server) softphone(w http.ResponseWriter, v *visit) {
	d, ok := s.phoneOf(w, v)
	if !ok {
		return
	}
	p := s.Phone.Show(d)
	p.Reader, p.Box, p.Live = s.reader(v), s.Name(), "/phone/live?lang="+v.lang
	if p.Reader.Heard {
		p.Live = "" // nothing moves where nobody can talk
	}
	html, err := s.pages[v.lang].Phone(p, time.Now())
	s.show(w, http.StatusOK, html, err)
}

// followPhone streams the calls of the page as they change.
func (s *server) followPhone(w http.ResponseWriter, v *visit) {
	d, ok := s.phoneOf(w, v)
	if !ok {
		return
	}
	changed, stop := s.Phone.Watch(d)
	defer stop()
	var shown []byte
	s.stream(w, v, changed, func(send func(string, []byte) bool) bool {
		html, err := s.pages[v.lang].PhoneParts(s.Phone.Show(d))
		if err != nil {
			s.Log.Error("the calls of a page cannot be shown", "err", err)
			return false
		}
		if bytes.Equal(html, shown) {
			return true
		}
		shown = html
		return send("part", html)
	})
}

// readyPhone is the stream of a page that may use the microphone: while it is open the phone rings. It carries what the
// page's script has to do.
func (s *server) readyPhone(w http.ResponseWriter, v *visit) {
	d, ok := s.phoneOf(w, v)
	if !ok {
		return
	}
	instance := v.URL.Query().Get("page")
	if instance == "" || len(instance) > 64 {
		s.notDone(w, v, http.StatusBadRequest, "form.unread")
		return
	}
	p, sentence := s.Phone.Attach(d, instance)
	if sentence != "" {
		w.Header().Set("Retry-After", "10")
		s.notDone(w, v, http.StatusServiceUnavailable, sentence)
		return
	}
	defer p.Detach()
	s.stream(w, v, p.News(), func(send func(string, []byte) bool) bool {
		body, err := json.Marshal(p.Orders())
		return err == nil && send("orders", body)
	})
}

// stream pushes what look finds, on each change and each second, until the visitor has left or is signed out.
func (s *server) stream(w http.ResponseWriter, v *visit, changed <-chan struct{}, look func(send func(event string, body []byte) bool) bool) {
	if s.phonePages.Add(1) > mostPhonePages {
		s.phonePages.Add(-1)
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too many viewers", http.StatusServiceUnavailable)
		return
	}
	defer s.phonePages.Add(-1)
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
	beat := time.NewTicker(followBeat)
	defer beat.Stop()
	for asked := time.Now(); look(send); {
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

// mostPhonePages bounds the open streams of phones: each holds a connection, and a page has two.
const mostPhonePages = 128

// dialPhone begins a call.
func (s *server) dialPhone(w http.ResponseWriter, v *visit) {
	if s.form(w, v) {
		s.phoneDoes(w, v, phone.Order{Do: "dial"})
	}
}

// phoneCall does something to a call.
func (s *server) phoneCall(w http.ResponseWriter, v *visit) {
	if s.form(w, v) {
		s.phoneDoes(w, v, phone.Order{Do: v.PostForm.Get("do"), Call: tel.LegID(v.PathValue("call")), Digits: v.PostForm.Get("digits")})
	}
}

func (s *server) phoneDoes(w http.ResponseWriter, v *visit, o phone.Order) {
	d, ok := s.phoneOf(w, v)
	if !ok {
		return
	}
	if o.Do == "dial" || o.Do == "transfer" {
		var err error
		if o.Number, err = dialable(v.PostForm.Get("number")); err != nil {
			s.notDone(w, v, http.StatusUnprocessableEntity, "softphone.bad_number")
			return
		}
	}
	if o.Do == "press" && (o.Digits == "" || len(o.Digits) > 20 || strings.Trim(o.Digits, "0123456789*#ABCD") != "") {
		s.notDone(w, v, http.StatusUnprocessableEntity, "softphone.bad_keys")
		return
	}
	if sentence := s.Phone.Do(d, o); sentence != "" {
		s.notDone(w, v, http.StatusConflict, sentence)
		return
	}
	if wantsJSON(v) {
		s.tell(w, v, http.StatusOK, map[string]string{})
		return
	}
	redirect(w, v, "/phone")
}

var errNumber = errors.New("this is no telephone number")

// dialable is a number as people write it, without what they put between the digits.
func dialable(text string) (tel.Number, error) {
	n := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -./()", r) {
			return -1
		}
		return r
	}, strings.TrimSpace(text))
	if n == "" || len(n) > 40 || strings.Trim(strings.TrimPrefix(n, "+"), "0123456789*#") != "" {
		return "", errNumber
	}
	return tel.Number(n), nil
}

// offerPhone takes the audio of a page: an offer as application/sdp, and its answer.
func (s *server) offerPhone(w http.ResponseWriter, v *visit) {
	d, ok := s.phoneOf(w, v)
	if !ok {
		return
	}
	offer, err := io.ReadAll(http.MaxBytesReader(w, v.Body, mostOffer))
	if err != nil {
		s.notDone(w, v, http.StatusBadRequest, "form.unread")
		return
	}
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	answer, sentence := s.Phone.Offer(ctx, d, tel.LegID(v.PathValue("call")), v.URL.Query().Get("page"), string(offer))
	if sentence != "" {
		s.notDone(w, v, http.StatusConflict, sentence)
		return
	}
	w.Header().Set("Content-Type", "application/sdp")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, answer)
}
