// Package live pushes the page's fragments to every viewer. A changed fragment is rendered once per
// language and broadcast, at most five times a second however fast the office moves.
package live

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/view"
)

// interval bounds how often fragments are rendered: 5 Hz is faster than a person reads.
const interval = 200 * time.Millisecond

// heartbeat tells browsers that the silence is true; they call data late after 12 s.
const heartbeat = 5 * time.Second

// MaxViewers bounds open streams; each holds one connection and a small buffer.
const MaxViewers = 200

// Source delivers events to Apply until ctx ends. It first delivers what holds now, and calls reset
// before it does so again after a gap.
type Source func(ctx context.Context, reset func(), apply func(tel.Event))

// Hub owns the model of the page and its viewers. Only the goroutine of Run touches the model.
type Hub struct {
	log       *slog.Logger
	newModel  func() *view.Model
	renderers map[string]*page.Renderer

	mu      sync.Mutex // guards what follows; never held while rendering
	office  view.Office
	viewers map[*Viewer]struct{}
}

// Viewer is one open page.
type Viewer struct {
	lang   string
	frames chan []byte
}

// Frames delivers server-sent events ready to be written. It is closed when the viewer was too slow;
// the browser then connects again and starts from what holds.
func (v *Viewer) Frames() <-chan []byte { return v.frames }

// New returns a hub; newModel makes an empty model for the start and after each gap.
func New(log *slog.Logger, newModel func() *view.Model) (*Hub, error) {
	h := &Hub{log: log, newModel: newModel, renderers: map[string]*page.Renderer{}, viewers: map[*Viewer]struct{}{}}
	for _, lang := range i18n.Languages() {
		cat, err := i18n.Load(lang)
		if err != nil {
			return nil, err
		}
		if h.renderers[lang], err = page.New(cat); err != nil {
			return nil, err
		}
	}
	h.office = newModel().Office()
	return h, nil
}

// Page renders the whole page of this instant.
func (h *Hub) Page(lang string, now time.Time) ([]byte, error) {
	r := h.renderers[lang]
	if r == nil {
		return nil, fmt.Errorf("no language %q", lang)
	}
	h.mu.Lock()
	o := h.office
	h.mu.Unlock()
	return r.Office(o, now)
}

// Run follows the source until ctx ends.
func (h *Hub) Run(ctx context.Context, source Source) {
	events := make(chan any, 256)
	var wg sync.WaitGroup
	wg.Go(func() {
		send := func(x any) {
			select {
			case events <- x:
			case <-ctx.Done():
			}
		}
		source(ctx, func() { send(nil) }, func(e tel.Event) { send(e) })
	})
	defer wg.Wait()

	model, dirty := h.newModel(), map[view.Part]bool{}
	tick, beat := time.NewTicker(interval), time.NewTicker(heartbeat)
	defer tick.Stop()
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			h.closeAll()
			return
		case x := <-events:
			if x == nil {
				model = h.newModel()
				for _, p := range view.Parts() {
					dirty[p] = true
				}
				continue
			}
			for _, p := range model.Apply(x.(tel.Event)) {
				dirty[p] = true
			}
		case <-tick.C:
			if len(dirty) > 0 {
				h.push(model.Office(), dirty)
				clear(dirty)
			}
		case now := <-beat.C:
			h.broadcast("", frame("clock", []byte(now.UTC().Format(time.RFC3339))))
		}
	}
}

// push renders each changed part once per language that somebody reads.
func (h *Hub) push(o view.Office, dirty map[view.Part]bool) {
	h.mu.Lock()
	h.office = o
	langs := map[string]bool{}
	for v := range h.viewers {
		langs[v.lang] = true
	}
	h.mu.Unlock()
	now := time.Now()
	for lang := range langs {
		var all []byte
		for _, p := range view.Parts() {
			if !dirty[p] {
				continue
			}
			html, err := h.renderers[lang].Part(p, o, now)
			if err != nil {
				h.log.Error("part of the page cannot be rendered", "part", p, "err", err)
				continue
			}
			all = append(all, html...)
			all = append(all, '\n')
		}
		if len(all) > 0 {
			h.broadcast(lang, frame("part", all))
		}
	}
}

// broadcast gives a frame to the viewers of a language, or to all; one that does not keep up is let
// go rather than waited for.
func (h *Hub) broadcast(lang string, f []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for v := range h.viewers {
		if lang != "" && v.lang != lang {
			continue
		}
		select {
		case v.frames <- f:
		default:
			delete(h.viewers, v)
			close(v.frames)
		}
	}
}

// Join adds a viewer; ok is false when there are too many.
func (h *Hub) Join(lang string) (v *Viewer, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.viewers) >= MaxViewers || h.renderers[lang] == nil {
		return nil, false
	}
	v = &Viewer{lang: lang, frames: make(chan []byte, 16)}
	h.viewers[v] = struct{}{}
	v.frames <- frame("clock", []byte(time.Now().UTC().Format(time.RFC3339)))
	return v, true
}

// Everything renders all parts as one frame: what a new viewer needs to be sure to miss nothing
// between its page and its stream.
func (h *Hub) Everything(lang string, now time.Time) ([]byte, error) {
	h.mu.Lock()
	o := h.office
	h.mu.Unlock()
	var all []byte
	for _, p := range view.Parts() {
		html, err := h.renderers[lang].Part(p, o, now)
		if err != nil {
			return nil, err
		}
		all = append(append(all, html...), '\n')
	}
	return frame("part", all), nil
}

// Leave removes a viewer.
func (h *Hub) Leave(v *Viewer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.viewers[v]; ok {
		delete(h.viewers, v)
		close(v.frames)
	}
}

func (h *Hub) closeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for v := range h.viewers {
		delete(h.viewers, v)
		close(v.frames)
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
