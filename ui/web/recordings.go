package web

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

// Recordings is the page's port to what is recorded of conversations.
type Recordings interface {
	// Parts are the recordings of chains, the oldest first.
	Parts(chains []string) []page.Recording
	// Part is one of them; false where there is none.
	Part(id string) (page.Recording, bool)
	// Sound opens a recording as a WAV file for somebody. That he listens, or downloads it, is written down before.
	Sound(id, by string, download bool) (io.ReadSeekCloser, error)
	// Hold keeps a recording from being deleted, or lets it go again; Delete deletes it for good.
	Hold(id, by string, on bool) error
	Delete(id, by string) error
	// Total counts them and their bytes.
	Total() (n int, bytes int64)
	// Check begins to read all of them against the index, unless that runs; Checked is how far it is, or what it has found.
	Check()
	Checked() page.Checked
}

// hears tells whether a visitor may hear a recording: the owner, and, unless its purpose is for the owner's ears alone,
// a supervisor of all queues or of the one that it is of.
func (s *server) hears(v *visit, r page.Recording) bool {
	switch v.user.Role {
	case access.Owner:
		return true
	case access.Supervisor:
		if p := s.Settings.Current().Recording.PurposeOf(r.Purpose); p != nil && p.Listen == config.ListenOwner {
			return false
		}
		return len(v.user.Queues) == 0 || r.Queue != "" && v.user.Supervises(r.Queue)
	default:
		return false
	}
}

// recordingsOf are the recordings of a call that the visitor may hear, and those of the calls it came from and
// went on in.
func (s *server) recordingsOf(v *visit, c *tel.CallEnded) (all []page.Recording) {
	var chains []string
	for _, r := range c.Recordings {
		chains = append(append(chains, r.Chain), r.Also...)
	}
	if len(chains) == 0 || s.Recordings == nil {
		return nil
	}
	now := s.Settings.Current()
	for _, r := range s.Recordings.Parts(chains) {
		if !s.hears(v, r) {
			continue
		}
		for i, p := range r.Parties {
			r.Parties[i] = partyName(now, p)
		}
		for i := range r.Voices {
			r.Voices[i].Who = partyName(now, r.Voices[i].Who)
		}
		if p := now.Recording.PurposeOf(r.Purpose); p != nil && p.Name != "" {
			r.Purpose = p.Name
		}
		r.Began, r.Until = r.Began.In(s.Zone()), r.Until.In(s.Zone())
		r.May = v.user.May(access.Own)
		r.Clear = !v.unheard()
		r.Back = v.URL.RequestURI()
		all = append(all, r)
	}
	return all
}

// recording finds the recording that the path names, or answers why the visitor gets none.
func (s *server) recording(w http.ResponseWriter, v *visit) (page.Recording, bool) {
	var r page.Recording
	ok := false
	if s.Recordings != nil {
		r, ok = s.Recordings.Part(v.PathValue("id"))
	}
	switch {
	case !ok:
		s.refuse(w, v, http.StatusNotFound, "recordings.gone")
	case !s.hears(v, r):
		s.refuse(w, v, http.StatusForbidden, "floor.not_yours")
		return r, false
	}
	return r, ok
}

// recordingSound plays a recording, or gives it as a file. Browsers ask for any part of it.
func (s *server) recordingSound(w http.ResponseWriter, v *visit) {
	r, ok := s.recording(w, v)
	if !ok {
		return
	}
	download := v.URL.Query().Get("download") != ""
	sound, err := s.Recordings.Sound(r.ID, v.user.Name, download)
	if err != nil {
		s.Log.Warn("a recording cannot be heard", "id", r.ID, "by", v.user.Name, "err", err)
		s.refuse(w, v, http.StatusServiceUnavailable, "recordings.unheard")
		return
	}
	defer func() { _ = sound.Close() }() // it was read only
	h := w.Header()
	h.Set("Content-Type", "audio/wav")
	h.Set("Cache-Control", "no-store")
	if download {
		h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", r.Began.In(s.Zone()).Format("20060102-1504")+"-"+r.ID+".wav"))
	}
	http.ServeContent(w, v.Request, "", time.Time{}, sound)
}

// recordingOrder holds, releases or deletes a recording, as the path says.
func (s *server) recordingOrder(do func(id, by string) error) func(http.ResponseWriter, *visit) {
	return func(w http.ResponseWriter, v *visit) {
		if !s.form(w, v) {
			return
		}
		r, ok := s.recording(w, v)
		if !ok {
			return
		}
		if err := do(r.ID, v.user.Name); err != nil {
			s.Log.Warn("a recording stays as it is", "id", r.ID, "by", v.user.Name, "err", err)
			s.refuse(w, v, http.StatusConflict, "recordings.stays")
			return
		}
		redirect(w, v, inside(v.PostFormValue("back")))
	}
}

func (s *server) holdRecording(on bool) func(http.ResponseWriter, *visit) {
	return s.recordingOrder(func(id, by string) error { return s.Recordings.Hold(id, by, on) })
}

func (s *server) deleteRecording() func(http.ResponseWriter, *visit) {
	return s.recordingOrder(func(id, by string) error { return s.Recordings.Delete(id, by) })
}
