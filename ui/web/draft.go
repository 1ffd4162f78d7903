package web

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// errGone is the error of a step whose thing is not in the configuration any more.
var errGone = errors.New("it is not in the configuration any more")

// step is one form that was saved and not yet applied. It is done again on whatever is in force when it is
// looked at, so that it holds nothing but what its author has changed.
type step struct {
	do      func(*config.Config) error
	secrets []page.Secret // to be shown once, when it is in force
}

// drafts are the changes that people have made and not yet applied, by user. They end with the process.
type drafts struct {
	mu    sync.Mutex // guards steps
	steps map[string][]step
}

// mostSteps bounds a draft: who saves more than that applies first.
const mostSteps = 100

func (d *drafts) of(user string) []step {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.steps[user])
}

func (d *drafts) set(user string, steps []step) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.steps == nil {
		d.steps = map[string][]step{}
	}
	if len(steps) == 0 {
		delete(d.steps, user)
		return
	}
	d.steps[user] = steps
}

// edit does all steps on a configuration. Those whose thing is gone are left out.
func edit(steps []step) func(*config.Config) {
	return func(c *config.Config) {
		for _, st := range steps {
			trial := c.Clone()
			if st.do(&trial) == nil {
				*c = trial
			}
		}
	}
}

// drafted is the configuration as the visitor wants it: what is in force with what the visitor has changed.
func (s *server) drafted(v *visit) config.Config {
	c := s.Settings.Current().Clone()
	edit(s.drafts.of(v.user.Name))(&c)
	return c
}

// propose adds a step to the visitor's draft, unless it makes mistakes: those are returned, and nothing is
// kept.
func (s *server) propose(v *visit, st step) (config.Problems, error) {
	steps := s.drafts.of(v.user.Name)
	if len(steps) >= mostSteps {
		return nil, errFull
	}
	c := s.drafted(v)
	if err := st.do(&c); err != nil {
		return nil, err
	}
	if p := c.Check(); len(p) > 0 {
		return p, nil
	}
	s.drafts.set(v.user.Name, append(steps, st))
	return nil, nil
}

var errFull = errors.New("too many changes wait to be applied")

// pending counts what the visitor's draft changes.
func (s *server) pending(v *visit) int {
	if len(s.drafts.of(v.user.Name)) == 0 {
		return 0
	}
	return len(config.Diff(*s.Settings.Current(), s.drafted(v)))
}

// problemAt is what is wrong at a path of the configuration, for the page.
func (s *server) problemAt(p config.Problem) page.Said {
	return page.Said{Sentence: "problem." + p.Code, Where: p.Path, Detail: p.Text}
}

var changePath = regexp.MustCompile(`^(\w+(?:\.(?:list|rules|purposes))?)(?:\[([^\]]*)\])?(?:\.(.*))?$`)

// inWords names the changes as the forms name their fields.
func inWords(changes []config.Change, before, after *config.Config) (all []page.Change) {
	for _, c := range changes {
		x := page.Change{Path: c.Path, Kind: string(c.Kind), Old: short(c.Old), New: short(c.New)}
		if m := changePath.FindStringSubmatch(c.Path); m != nil && m[2] != "" {
			x.Thing = cmp.Or(nameOf(after, m[1], m[2]), nameOf(before, m[1], m[2]))
			if x.Thing != "" {
				x.Key = fieldKey(m[1], m[3])
				x.Path = cmp.Or(m[3], m[1])
			}
		} else if m != nil {
			x.Key = fieldKey(m[1], m[3])
		}
		all = append(all, x)
	}
	return all
}

// short keeps a value readable in a table.
func short(s string) string {
	if r := []rune(s); len(r) > 160 {
		return string(r[:160]) + "…"
	}
	return s
}

// nameOf is what people call an entry of a list; empty when there is none.
func nameOf(c *config.Config, list, id string) string {
	switch list {
	case "queues":
		return named(c.Queues, id, func(q config.Queue) (string, string) { return string(q.ID), q.Name })
	case "agents":
		return named(c.Agents, id, func(a config.Agent) (string, string) { return string(a.ID), a.Name })
	case "phones":
		return named(c.Phones, id, func(p config.Phone) (string, string) { return string(p.ID), p.Name })
	case "trunks":
		return named(c.Trunks, id, func(t config.Trunk) (string, string) { return string(t.ID), t.Name })
	case "lines":
		return named(c.Lines, id, func(l config.Line) (string, string) { return string(l.ID), l.Name })
	case "conferences":
		return named(c.Conferences, id, func(r config.Conference) (string, string) { return string(r.ID), r.Name })
	case "menus":
		return named(c.Menus, id, func(m config.Menu) (string, string) { return m.ID, m.Name })
	case "prompts.list":
		return named(c.Prompts.List, id, func(p config.Prompt) (string, string) { return p.ID, p.Name })
	case "lamps":
		return named(c.Lamps, id, func(l config.Lamp) (string, string) { return string(l.ID), "" })
	case "buttons":
		return named(c.Buttons, id, func(b config.Button) (string, string) { return string(b.ID), "" })
	case "recording.rules":
		return named(c.Recording.Rules, id, func(r config.RecordingRule) (string, string) { return r.ID, r.Name })
	case "recording.purposes":
		return named(c.Recording.Purposes, id, func(p config.Purpose) (string, string) { return p.ID, p.Name })
	case "dispositions":
		return named(c.Dispositions, id, func(d config.Disposition) (string, string) { return d.Code, d.Name })
	case "hours":
		return named(c.Hours, id, func(h config.Hours) (string, string) { return h.ID, h.Name })
	}
	return ""
}

func named[T any](all []T, id string, of func(T) (id, name string)) string {
	for _, x := range all {
		if i, name := of(x); i == id {
			return cmp.Or(name, id)
		}
	}
	return ""
}

// apply makes the visitor's draft the configuration in force.
func (s *server) apply(ctx context.Context, v *visit, why string) (settings.Applied, []page.Secret, settings.Refusal, error) {
	steps := s.drafts.of(v.user.Name)
	var secrets []page.Secret
	for _, st := range steps {
		secrets = append(secrets, st.secrets...)
	}
	done, no, err := s.Settings.Apply(ctx, edit(steps), by(v), oneLine(why))
	if err == nil && no.Sentence == "" {
		s.drafts.set(v.user.Name, s.drafts.of(v.user.Name)[len(steps):]) // another window may have saved meanwhile
	}
	return done, secrets, no, err
}

func by(v *visit) settings.By { return settings.By{User: v.user.Name, From: v.from.Addr.String()} }

// oneLine is a remark that a person typed, fit for a log.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if r := []rune(text); len(r) > 200 {
		text = string(r[:200])
	}
	return text
}

// fieldKey names a setting as its form does; empty when no form has it.
func fieldKey(list, path string) string {
	switch {
	case path == "" && slices.Contains([]string{"queues", "agents", "phones", "trunks", "lines", "hours", "lamps", "buttons", "menus", "conferences", "dispositions", "prompts.list"}, list):
		return "list." + list
	case list == "recording" || strings.HasPrefix(list, "recording."):
		return recordingKey(list, path)
	case list == "web" && path == "plain_http":
		return "security.plain"
	case list == "lights" && strings.HasPrefix(path, "rows"):
		return "signals"
	case list == "lights":
		return "signals.look"
	case list == "hours" && strings.HasPrefix(path, "open"):
		return "block.hours.week"
	case list == "phones" && path == "password":
		return "set.phones.password"
	}
	var name string
	switch list {
	case "queues":
		name = queueKind().fieldAt(path)
	case "agents":
		name = personKind().fieldAt(path)
	case "trunks":
		name = trunkKind().fieldAt(path)
	case "lines":
		name = cmp.Or(lineKind().fieldAt(path), analogKind().fieldAt(path))
	case "hours":
		name = hoursKind().fieldAt(path)
	case "lamps":
		name = lampKind().fieldAt(path)
	case "conferences":
		name = conferenceKind().fieldAt(path)
	case "dispositions":
		name = dispositionKind().fieldAt(path)
	case "buttons":
		name = buttonKind().fieldAt(path)
	case "menus":
		name = menuKind().fieldAt(path)
	case "prompts.list":
		name = messageKind().fieldAt(path)
	}
	if name == "" {
		return ""
	}
	return "set." + list + "." + name
}
