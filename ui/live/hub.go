// Package live pushes the page's fragments to every viewer. A changed fragment is rendered once per
// language and broadcast, at most five times a second however fast the office moves.
package live

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/view"
)

// interval bounds how often fragments are rendered: 5 Hz is faster than a person reads.
const interval = 200 * time.Millisecond

// heartbeat tells browsers that the silence is true; they call data late after 3 s and lost after 10.
const heartbeat = time.Second

// MaxViewers bounds open streams; each holds one connection and a small buffer.
const MaxViewers = 200

// lag is how many frames a viewer may be behind before it is let go: about 3 s.
const lag = 16

// Source delivers events to apply until ctx ends. It first delivers what holds now to present, in
// one piece, and does so again after a gap. When it returns early the streams end, so that no page
// claims to be live.
type Source func(ctx context.Context, present func([]tel.Event), apply func(tel.Event))

// Hub owns the model of the page and its viewers. Only the goroutine of Run touches the model and
// renders for streams; a page that is opened is rendered in its request.
type Hub struct {
	log       *slog.Logger
	newModel  func() *view.Model
	renderers map[string]*page.Renderer
	version   string
	rendered  atomic.Int64
	letGo     atomic.Int64
	full      chan struct{} // closed when there is a first picture

	mu      sync.Mutex // guards what follows; never held while rendering
	office  view.Office
	viewers map[*Viewer]struct{}
	ended   bool
}

// public is a kind of viewers, who are all sent the same.
type public struct {
	lang      string
	anonymous bool // is not told who calls
}

// office is what this public may see of one.
func (p public) office(o view.Office) view.Office {
	if p.anonymous {
		return o.Anonymous()
	}
	return o
}

// Viewer is one open page.
type Viewer struct {
	public
	frames chan []byte
	begun  bool // has got everything once; guarded by the hub's mu
}

// Frames delivers server-sent events ready to be written: first everything, then what changes. It is
// closed when the viewer was too slow or the hub has ended; the browser then connects again.
func (v *Viewer) Frames() <-chan []byte { return v.frames }

// Stats is what the hub has done since it began.
type Stats struct {
	Viewers  int
	Rendered int64 // fragments for streams
	LetGo    int64 // viewers that did not keep up
}

// New returns a hub that speaks the languages of pages; newModel makes an empty model for the start and after each gap.
func New(log *slog.Logger, pages map[string]*page.Renderer, newModel func() *view.Model) *Hub {
	return &Hub{
		log: log, newModel: newModel, renderers: pages, viewers: map[*Viewer]struct{}{}, version: page.Version(), full: make(chan struct{}),
		office: newModel().Office(),
	}
}

// Full is closed when the source has told for the first time what holds: a page that is served before shows an
// office in which nothing happens. It stays open when the source ends without.
func (h *Hub) Full() <-chan struct{} { return h.full }

// Page renders the whole page of this instant.
func (h *Hub) Page(lang string, who page.Reader, now time.Time) ([]byte, error) {
	r := h.renderers[lang]
	if r == nil {
		return nil, fmt.Errorf("no language %q", lang)
	}
	return r.Office(public{lang, !who.Role.May(access.Know)}.office(h.Office()), who, now)
}

// Office is the office of this instant, to be read only.
func (h *Hub) Office() view.Office {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.office
}

// Stats may be called from any goroutine.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Stats{Viewers: len(h.viewers), Rendered: h.rendered.Load(), LetGo: h.letGo.Load()}
}

// news is what the source said: events, on top of what was there or instead of it.
type news struct {
	events  []tel.Event
	instead bool
}

// Run follows the source until ctx ends or the source does. It is called once.
func (h *Hub) Run(ctx context.Context, source Source) {
	inbox := make(chan news, 256)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(inbox)
		send := func(n news) {
			select {
			case inbox <- n:
			case <-ctx.Done():
			}
		}
		source(ctx,
			func(all []tel.Event) { send(news{events: all, instead: true}) },
			func(e tel.Event) { send(news{events: []tel.Event{e}}) })
	})
	defer wg.Wait()
	defer h.end()

	model, dirty, full := h.newModel(), map[view.Part]bool{}, false
	tick, beat := time.NewTicker(interval), time.NewTicker(heartbeat)
	defer tick.Stop()
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case n, open := <-inbox:
			if !open {
				return
			}
			if n.instead {
				model = h.newModel()
				for _, s := range view.Sections() {
					dirty[view.Part{Section: s}] = true
				}
			}
			for _, e := range n.events {
				for _, p := range model.Apply(e) {
					dirty[p] = true
				}
			}
			if n.instead && !full { // without waiting for a tick: visitors wait for it
				h.push(model, dirty)
				clear(dirty)
				close(h.full)
				full = true
			}
		case <-tick.C:
			h.push(model, dirty)
			clear(dirty)
		case now := <-beat.C:
			h.beat(now)
		}
	}
}

// push renders each changed fragment once per language that somebody reads, and everything once
// per language that somebody has newly joined in.
func (h *Hub) push(model *view.Model, dirty map[view.Part]bool) {
	joined, following := h.audience()
	if len(dirty) == 0 && len(joined) == 0 {
		return
	}
	o := model.Office()
	h.mu.Lock()
	h.office = o
	h.mu.Unlock()
	now := time.Now()
	for who, viewers := range following {
		if changed := h.render(who, changedParts(dirty), o, now); len(changed) > 0 {
			h.send(viewers, frame("part", changed))
		}
	}
	for who, viewers := range joined {
		var all []view.Part
		for _, s := range view.Sections() {
			all = append(all, view.Part{Section: s})
		}
		h.send(viewers, frame("part", h.render(who, all, o, now)))
	}
}

// audience sorts the viewers by what they are sent into those who have everything and those who join now.
func (h *Hub) audience() (joined, following map[public][]*Viewer) {
	joined, following = map[public][]*Viewer{}, map[public][]*Viewer{}
	h.mu.Lock()
	defer h.mu.Unlock()
	for v := range h.viewers {
		if v.begun {
			following[v.public] = append(following[v.public], v)
		} else {
			v.begun = true
			joined[v.public] = append(joined[v.public], v)
		}
	}
	return joined, following
}

// changedParts is dirty in the order of the page, without elements of sections that change whole.
func changedParts(dirty map[view.Part]bool) []view.Part {
	var all []view.Part
	for _, s := range view.Sections() {
		if w := (view.Part{Section: s}); dirty[w] {
			all = append(all, w)
			continue
		}
		var some []view.Part
		for p := range dirty {
			if p.Section == s {
				some = append(some, p)
			}
		}
		slices.SortFunc(some, func(a, b view.Part) int { return cmp.Compare(a.ID, b.ID) })
		all = append(all, some...)
	}
	return all
}

func (h *Hub) render(who public, parts []view.Part, o view.Office, now time.Time) []byte {
	var all []byte
	o = who.office(o)
	for _, p := range parts {
		html, err := h.renderers[who.lang].Part(p, o, now)
		if err != nil {
			h.log.Error("part of the page cannot be rendered", "part", p, "err", err)
			continue
		}
		h.rendered.Add(1)
		all = append(append(all, html...), '\n')
	}
	return all
}

// send gives a frame to viewers; one that does not keep up is let go rather than waited for.
func (h *Hub) send(viewers []*Viewer, f []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, v := range viewers {
		if _, here := h.viewers[v]; !here {
			continue
		}
		select {
		case v.frames <- f:
		default:
			h.letGo.Add(1)
			h.drop(v)
		}
	}
}

// drop ends a viewer's stream. The caller holds mu.
func (h *Hub) drop(v *Viewer) {
	if _, here := h.viewers[v]; here {
		delete(h.viewers, v)
		close(v.frames)
	}
}

func (h *Hub) beat(now time.Time) {
	h.mu.Lock()
	all := slices.Collect(maps.Keys(h.viewers))
	h.mu.Unlock()
	h.send(all, clock(now))
}

// clock is the box's time, from which browsers count.
func clock(now time.Time) []byte {
	return frame("clock", []byte(now.UTC().Format("2006-01-02T15:04:05.000Z")))
}

// Join adds a viewer, who gets the version of the page and the time at once and everything with the
// next push; ok is false when there are too many or the hub has ended. Who is anonymous is not told who calls.
func (h *Hub) Join(lang string, anonymous bool) (v *Viewer, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended || len(h.viewers) >= MaxViewers || h.renderers[lang] == nil {
		return nil, false
	}
	v = &Viewer{public: public{lang, anonymous}, frames: make(chan []byte, lag)}
	h.viewers[v] = struct{}{}
	v.frames <- append([]byte("retry: 1000\n"), frame("version", []byte(h.version))...)
	v.frames <- clock(time.Now())
	return v, true
}

// Leave removes a viewer.
func (h *Hub) Leave(v *Viewer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(v)
}

func (h *Hub) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	for v := range h.viewers {
		h.drop(v)
	}
}

// frame writes one server-sent event; every line of the body needs its own "data:".
func frame(event string, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\n", event)
	for line := range bytes.Lines(bytes.TrimRight(body, "\n")) {
		b.WriteString("data: ")
		b.Write(bytes.TrimRight(line, "\r\n"))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	return b.Bytes()
}
