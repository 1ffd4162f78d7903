package appliance

import (
	"io"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/record"
	"github.com/pronto-pbx/pronto/firmware/record/tape"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// oneListening is how long somebody's requests for parts of a recording count as one listening to it.
const oneListening = 15 * time.Minute

// listening is the page's way to the archive of recordings.
type listening struct {
	archive *record.Archive
	whole   *wholeness

	mu    sync.Mutex // guards since
	since map[string]time.Time
}

// Parts implements web.Recordings.
func (l *listening) Parts(chains []string) (all []page.Recording) {
	found := l.archive.List(func(r record.Recording) bool { return slices.Contains(chains, r.Chain) })
	slices.Reverse(found)
	for _, r := range found {
		all = append(all, l.shown(r))
	}
	return all
}

// Part implements web.Recordings.
func (l *listening) Part(id string) (page.Recording, bool) {
	r, ok := l.archive.Get(id)
	if !ok {
		return page.Recording{}, false
	}
	return l.shown(r), true
}

// shown is a recording as the page shows it.
func (l *listening) shown(r record.Recording) page.Recording {
	p := page.Recording{
		ID: r.ID, Began: r.Began, Length: r.Length, Queue: tel.QueueID(r.Queue), Purpose: r.Purpose, Until: r.Until,
		Running: r.State == record.Began, Cut: r.State == record.Interrupted || r.State == record.Found, Lost: r.Lost, Held: r.Held,
	}
	for _, t := range r.Tracks {
		p.Parties = append(p.Parties, t.Party)
	}
	if p.Running {
		return p
	}
	if f, err := l.archive.Again(r.ID); err == nil { // one that cannot be read says so when it is heard
		p.Gaps, p.Voices = gaps(f.Marks, f.Samples()), voices(f.Voices)
		_ = f.Close()
	}
	return p
}

// listedSpans is how often it is listed of one party when it spoke.
const listedSpans = 100

// voices are the parties of a conference, and when each spoke.
func voices(of []tape.Voice) (all []page.Voice) {
	span := func(s tape.Span) page.Gap { return page.Gap{From: place(s.From), To: place(s.To)} }
	for _, v := range of {
		x := page.Voice{Who: v.Party, There: span(v.There), More: max(0, len(v.Spoke)-listedSpans)}
		for _, s := range v.Spoke[:min(listedSpans, len(v.Spoke))] {
			x.Spoke = append(x.Spoke, span(s))
		}
		all = append(all, x)
	}
	return all
}

// place is a place on the timeline of a recording.
func place(samples uint32) time.Duration { return time.Duration(samples) * time.Second / tape.Rate }

// gaps are the pauses of a recording of so many samples.
func gaps(marks []tape.Mark, samples int) (all []page.Gap) {
	open := false
	for _, m := range marks {
		if open {
			all[len(all)-1].To, open = place(m.At), false
		}
		if !m.Resume {
			all, open = append(all, page.Gap{From: place(m.At), To: place(uint32(samples)), Why: m.Why}), true
		}
	}
	return all
}

// heard is a recording that is read as WAV.
type heard struct {
	*tape.WAV
	*record.Play
}

// Read implements io.Reader.
func (h heard) Read(b []byte) (int, error) { return h.WAV.Read(b) }

// Sound implements web.Recordings.
func (l *listening) Sound(id, by string, download bool) (io.ReadSeekCloser, error) {
	p, err := l.open(id, by, download)
	if err != nil {
		return nil, err
	}
	w, err := tape.NewWAV(p.Reader)
	if err != nil {
		_ = p.Close()
		return nil, err
	}
	return heard{w, p}, nil
}

// open writes down that somebody listens, once for all the parts that a browser asks for.
func (l *listening) open(id, by string, download bool) (*record.Play, error) {
	if download {
		return l.archive.Listen(id, by, record.Downloaded)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now, key := time.Now(), by+" "+id
	for k, at := range l.since {
		if now.Sub(at) >= oneListening {
			delete(l.since, k)
		}
	}
	if _, again := l.since[key]; again {
		return l.archive.Again(id)
	}
	p, err := l.archive.Listen(id, by, record.Heard)
	if err == nil {
		l.since[key] = now
	}
	return p, err
}

// Hold implements web.Recordings.
func (l *listening) Hold(id, by string, on bool) error { return l.archive.Hold(id, by, on) }

// Delete implements web.Recordings.
func (l *listening) Delete(id, by string) error { return l.archive.Delete(id, by, record.WhyPerson) }
