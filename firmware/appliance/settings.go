package appliance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// settings is the page's way to the configuration that runs.
func (b *Box) settings() settings.Port {
	l := b.opts.Live
	return settings.Port{
		Current: l.Current,
		Apply: func(ctx context.Context, edit func(*config.Config), by settings.By, why string) (settings.Applied, settings.Refusal, error) {
			return b.changed(by, func() (live.Report, error) { return l.Apply(ctx, live.Edit(edit), by.User, why) })
		},
		Restore: func(ctx context.Context, number int, by settings.By) (settings.Applied, settings.Refusal, error) {
			return b.changed(by, func() (live.Report, error) { return l.Restore(ctx, number, by.User) })
		},
		Reload: func(ctx context.Context, by settings.By) (settings.Applied, settings.Refusal, error) {
			return b.changed(by, func() (live.Report, error) { return l.Reload(ctx) })
		},
		Versions: b.versions,
		File: func(ctx context.Context) (settings.File, error) {
			f, err := l.File(ctx)
			return settings.File{Path: f.Path, Edited: f.Edited, Problems: f.Problems}, err
		},
		Discard: func(ctx context.Context, by settings.By) error {
			err := l.Discard(ctx)
			if err == nil {
				b.noteAccess(access.Note{At: time.Now(), What: access.DeedDiscarded, User: by.User, From: by.From})
			}
			return err
		},
		Probe: b.probe, Lines: b.present.lines, Audit: b.audit.Last,
	}
}

// changed carries a change out, writes down who did it, and tells the page what came of it.
func (b *Box) changed(by settings.By, do func() (live.Report, error)) (settings.Applied, settings.Refusal, error) {
	r, err := do()
	if err != nil {
		no, err := refusedChange(err)
		return settings.Applied{}, no, err
	}
	a := settings.Applied{Version: r.Version, Changes: r.Changes, Restart: r.NeedsRestart()}
	for _, x := range r.Rooms {
		a.Drain = a.Drain || x.Outcome == live.AfterDrain
	}
	if r.Version > 0 {
		b.noteAccess(access.Note{At: r.At, What: access.DeedConfigured, User: by.User, Whom: strings.TrimSpace(fmt.Sprintf("%d %s", r.Version, r.Why)), From: by.From})
	}
	return a, settings.Refusal{}, nil
}

// refusedChange is the sentence for a refusal of the configuration; what is none is an error.
func refusedChange(err error) (settings.Refusal, error) {
	sentence := ""
	failure, failed := errors.AsType[*live.Failure](err)
	_, vetoed := errors.AsType[*live.Veto](err)
	_, wrong := errors.AsType[config.Problems](err)
	switch {
	case wrong:
		sentence = "settings.problems"
	case vetoed:
		sentence = "settings.veto"
	case failed && failure.Undo == nil:
		sentence = "settings.failed"
	case failed:
		sentence = "settings.stuck"
	case errors.Is(err, live.ErrEdited):
		sentence = "settings.edited"
	case errors.Is(err, live.ErrVersion):
		sentence = "past.gone"
	case errors.Is(err, live.ErrIdle), errors.Is(err, live.ErrClosed):
		sentence = "settings.away"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		sentence = "settings.disk"
	default:
		return settings.Refusal{}, err
	}
	return settings.Refusal{Sentence: sentence, Detail: err.Error()}, nil
}

func (b *Box) versions(ctx context.Context) ([]settings.Version, error) {
	kept, err := b.opts.Live.History(ctx)
	if err != nil {
		return nil, err
	}
	var all []settings.Version
	for _, v := range kept {
		all = append(all, settings.Version{
			Kept:  page.Kept{Number: v.Number, At: v.At.In(b.numbering.Load().plan.Zone), Who: v.Who, Why: v.Why},
			Parse: func() (config.Config, error) { return config.Parse(v.Text) },
		})
	}
	return all, nil
}

// probe asks the box about what was changed: whether queues have people, phones are there, opening hours are
// open, menus are reached and lead somewhere, messages have a sound, lines work.
func (b *Box) probe(ctx context.Context, changes []config.Change) (all []page.Finding) {
	var asked []string
	for _, c := range changes {
		list, id, entry := strings.Cut(strings.TrimSuffix(config.Thing(c.Path), "]"), "[")
		thing := list + " " + id
		if !entry && list != "prompts" || slices.Contains(asked, thing) {
			continue
		}
		asked = append(asked, thing)
		switch list {
		case "queues":
			all = append(all, b.probeQueue(ctx, tel.QueueID(id))...)
		case "agents":
			all = append(all, b.probePerson(tel.AgentID(id))...)
		case "hours":
			all = append(all, b.probeHours(id)...)
		case "menus":
			all = append(all, b.probeMenu(id)...)
		case "prompts":
			all = append(all, b.probeAnnouncements(b.config().Prompts.List)...)
		case "trunks":
			all = append(all, b.probeLine("trunk:"+id)...)
		case "lines":
			all = append(all, b.probeLine("line:"+id)...)
		}
	}
	return all
}

func (b *Box) probeQueue(ctx context.Context, id tel.QueueID) []page.Finding {
	q, configured := b.config().QueueOf(id)
	if !configured {
		return nil
	}
	f := page.Finding{Level: "error", Thing: cmp.Or(q.Name, string(id)), Says: page.Said{Sentence: "probe.queue.missing"}}
	v, err := b.queues.Snapshot(ctx)
	if err != nil {
		f.Says.Detail = err.Error()
		return []page.Finding{f}
	}
	for _, x := range v.Queues {
		switch {
		case x.ID != id:
		case x.Ready > 0:
			f.Level, f.Says = "ok", page.Said{Sentence: "probe.queue.ready", Args: []any{x.Ready, len(x.Members)}}
		default:
			f.Level, f.Says = "warn", page.Said{Sentence: "probe.queue.nobody", Args: []any{len(x.Members)}}
		}
	}
	return []page.Finding{f}
}

func (b *Box) probePerson(id tel.AgentID) (all []page.Finding) {
	for _, a := range b.config().Agents {
		if a.ID != id {
			continue
		}
		if len(a.Phones) == 0 {
			return []page.Finding{{Level: "warn", Thing: a.Name, Says: page.Said{Sentence: "probe.person.phoneless"}}}
		}
		for _, p := range a.Phones {
			f := page.Finding{Level: "ok", Thing: a.Name, Says: page.Said{Sentence: "probe.phone.there", Args: []any{p}}}
			if !b.present.reachable(p) {
				f.Level, f.Says.Sentence = "warn", "probe.phone.absent"
			}
			all = append(all, f)
		}
	}
	return all
}

func (b *Box) probeHours(id string) []page.Finding {
	n := b.numbering.Load()
	for _, h := range n.cfg.Hours {
		if h.ID != id {
			continue
		}
		f := page.Finding{Level: "ok", Thing: cmp.Or(h.Name, id), Says: page.Said{Sentence: "probe.hours.closed"}}
		if n.now().OpenAt(id, time.Now()).Open {
			f.Says.Sentence = "probe.hours.open"
		}
		return []page.Finding{f}
	}
	return nil
}

func (b *Box) probeLine(line string) []page.Finding {
	l, known := b.present.lines()[line]
	if !known {
		return nil
	}
	f := page.Finding{Level: "ok", Thing: cmp.Or(l.Name, line), Says: page.Said{Sentence: "cause." + string(l.Cause)}}
	if !l.Up && l.Cause != tel.LineDisabled {
		f.Level = "warn"
	}
	return []page.Finding{f}
}

// lines tells how trunks and lines stand, by their names in routes.
func (p *present) lines() map[string]tel.LineChanged {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[string]tel.LineChanged{}
	for _, e := range p.last {
		if l, ok := e.(tel.LineChanged); ok {
			all[l.Line] = l
		}
	}
	return all
}

// conditions tells what is wrong with the box now.
func (p *present) conditions() (all []tel.HealthChanged) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.last {
		if h, ok := e.(tel.HealthChanged); ok {
			all = append(all, h)
		}
	}
	return all
}

// reachable tells whether a phone is registered.
func (p *present) reachable(id tel.DeviceID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	d, _ := p.last["device/"+string(id)].(tel.DeviceChanged)
	return d.Reachable
}

// fileRoom tells health what is wrong with the file of the configuration.
type fileRoom struct{ b *Box }

// Name implements live.Room.
func (fileRoom) Name() string { return "file" }

// Commit implements live.Room.
func (fileRoom) Commit(context.Context, *config.Config, *config.Config) (live.Outcome, error) {
	return live.Unchanged, nil
}

// FileJudged implements live.Witness.
func (r fileRoom) FileJudged(mistakes, passedOver config.Problems) {
	for name, p := range map[string]config.Problems{"config_file": mistakes, "config_later": passedOver} {
		text := ""
		if len(p) > 0 {
			text = p[0].String()
		}
		if len(p) > 1 {
			text += fmt.Sprintf(" (and %d more)", len(p)-1)
		}
		r.b.report(name, len(p) == 0, text)
	}
}
