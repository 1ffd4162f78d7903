package web

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// queueKind is the editor of a queue in five blocks: who answers, in which order, how long callers wait, what
// happens at the limits, and what callers hear.
func queueKind() kind[config.Queue] {
	type q = config.Queue
	return kind[q]{
		name: "queues",
		of:   func(c *config.Config) *[]q { return &c.Queues },
		id:   func(x *q) string { return string(x.ID) },
		groups: []group[q]{
			{"who", []binding[q]{
				must(text("name", "name", func(x *q) *string { return &x.Name })),
				must(number("number", "number", func(x *q) *tel.Number { return &x.Number })),
				some("agents", "agents", page.FieldMembers, people, func(x *q) *[]tel.AgentID { return &x.Agents }),
			}},
			{"order", []binding[q]{
				choice("strategy", "strategy", "strategy.", config.Strategies(), func(x *q) *string { return &x.Strategy }),
				span("ring", "ring", time.Second, func(x *q) *time.Duration { return &x.Ring }),
				span("wrap_up", "wrap_up", time.Second, func(x *q) *time.Duration { return &x.WrapUp }),
				count("priority", "priority", func(x *q) *int { return &x.Priority }),
				count("missed", "missed.after", func(x *q) *int { return &x.Missed.After }),
			}},
			{"waiting", []binding[q]{
				span("target", "distribution.target", time.Second, func(x *q) *time.Duration { return &x.Distribution.Target }),
				span("sticky", "distribution.sticky", time.Minute, func(x *q) *time.Duration { return &x.Distribution.Sticky }),
				count("alarm_waiting", "alarms.waiting", func(x *q) *int { return &x.Alarms.Waiting }),
				span("alarm_longest", "alarms.longest", time.Second, func(x *q) *time.Duration { return &x.Alarms.Longest }),
				choice("callback", "waiting.callback.key", "key.", append([]string{""}, telephoneKeys()...), func(x *q) *string { return &x.Waiting.Callback.Key }),
			}},
			{"limits", []binding[q]{
				span("max_wait", "max_wait", time.Minute, func(x *q) *time.Duration { return &x.MaxWait }),
				count("max_length", "max_length", func(x *q) *int { return &x.MaxLength }),
				place("overflow", "overflow", false, func(x *q) *string { return &x.Overflow }),
				check("refuse_empty", "waiting.refuse_empty", func(x *q) *bool { return &x.Waiting.RefuseEmpty }),
				check("leave_empty", "waiting.leave_empty", func(x *q) *bool { return &x.Waiting.LeaveEmpty }),
				place("empty_to", "waiting.empty_to", true, func(x *q) *string { return &x.Waiting.EmptyTo }),
			}},
			{"messages", []binding[q]{
				some("greeting", "waiting.greeting", page.FieldMembers, greetings, func(x *q) *[]string { return &x.Waiting.Greeting }),
				check("position", "waiting.announce.position", func(x *q) *bool { return &x.Waiting.Announce.Position }),
				check("wait", "waiting.announce.wait", func(x *q) *bool { return &x.Waiting.Announce.Wait }),
				span("every", "waiting.announce.every", time.Second, func(x *q) *time.Duration { return &x.Waiting.Announce.Every }),
				some("sayings", "waiting.announce.messages", page.FieldMembers, prompts, func(x *q) *[]string { return &x.Waiting.Announce.Messages }),
			}},
		},
	}
}

func must[T any](b binding[T]) binding[T] {
	b.must = true
	return b
}

func telephoneKeys() []string { return strings.Split("1234567890*#", "") }

func people(c *config.Config, _ *config.Queue) (all []page.Option) {
	for _, a := range c.Agents {
		all = append(all, page.Option{ID: string(a.ID), Name: strings.TrimSpace(cmp.Or(a.Name, string(a.ID)) + " " + string(a.Extension))})
	}
	return all
}

// prompts are the announcements that somebody has recorded.
func prompts(c *config.Config, _ *config.Queue) (all []page.Option) {
	for _, p := range c.Prompts.List {
		all = append(all, page.Option{ID: "prompt:" + p.ID, Name: cmp.Or(p.Name, p.ID)})
	}
	return all
}

func greetings(c *config.Config, q *config.Queue) []page.Option {
	return append([]page.Option{{ID: "greeting", Key: "say.greeting"}, {ID: "wait", Key: "say.wait"}, {ID: "none", Key: "say.none"}}, prompts(c, q)...)
}

func (s *server) queues(w http.ResponseWriter, v *visit) {
	c := s.drafted(v)
	list := page.Cards{Key: "queues", Actions: []page.Link{{Key: "queue.new", Path: "/queues/new"}}}
	for _, q := range c.Queues {
		card := page.Card{Title: cmp.Or(q.Name, string(q.ID)), Sub: string(q.Number), Path: "/queues/" + string(q.ID)}
		var names []string
		for _, a := range q.Agents {
			names = append(names, nameOf(&c, "agents", string(a)))
		}
		card.Facts = []page.Fact{
			{Key: "block.queues.who", Text: some8(names)},
			{Key: "set.queues.strategy", Says: "strategy." + q.Strategy},
			{Key: "set.queues.ring", Text: seconds(q.Ring)},
		}
		if q.MaxWait > 0 {
			card.Facts = append(card.Facts, page.Fact{Key: "set.queues.max_wait", Text: seconds(q.MaxWait)})
		}
		list.Cards = append(list.Cards, card)
	}
	s.cards(w, v, list)
}

// some8 lists names, and counts those behind the eighth.
func some8(names []string) string {
	if len(names) <= 8 {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:8], ", ") + " +" + strconv.Itoa(len(names)-8)
}

func seconds(d time.Duration) string {
	if d >= 2*time.Minute && d%time.Minute == 0 {
		return strconv.Itoa(int(d.Minutes())) + " min"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " s"
}

func (s *server) cards(w http.ResponseWriter, v *visit, list page.Cards) {
	list.Reader, list.Box = s.reader(v), s.Name()
	html, err := s.pages[v.lang].Cards(list, time.Now())
	s.show(w, http.StatusOK, html, err)
}

// newQueue is what the form of a new queue begins with.
func newQueue(c *config.Config) config.Queue {
	return config.Queue{
		Number: freeNumber(c, 400), Strategy: "longest_idle", Ring: 20 * time.Second, WrapUp: 10 * time.Second,
		Overflow: "hangup", Distribution: config.Distribution{Target: 20 * time.Second},
	}
}

func queueEditor() editor[config.Queue] {
	return editor[config.Queue]{
		kind: queueKind(), title: "queue.edit", fresh: "queue.new", at: "/queues",
		blank: newQueue, links: func(x *config.Queue) []page.Link {
			return []page.Link{{Key: "skills", Path: "/queues/" + string(x.ID) + "/skills"}, {Key: "dispositions", Path: "/dispositions"}, {Key: "recording", Path: "/recording"}}
		},
		extras: func(q *config.Queue) []page.Extra {
			return []page.Extra{{Key: "callme.button", Action: "/queues/" + string(q.ID) + "/call"}}
		},
		born: func(c *config.Config, x *config.Queue) {
			x.ID = tel.QueueID(freeID(x.Name, "queue", func(id string) bool {
				return slices.ContainsFunc(c.Queues, func(q config.Queue) bool { return string(q.ID) == id })
			}))
		},
	}
}

// takenNumbers are the internal numbers that somebody or something has.
func takenNumbers(c *config.Config) map[tel.Number]bool {
	taken := map[tel.Number]bool{}
	for _, a := range c.Agents {
		taken[a.Extension] = true
	}
	for _, p := range c.Phones {
		taken[p.Extension] = true
	}
	for _, q := range c.Queues {
		taken[q.Number] = true
	}
	for _, g := range c.Groups {
		taken[g.Number] = true
	}
	delete(taken, "") // who has none
	return taken
}

// freeNumber is the first internal number from a place on that nobody has, no phone is called like, and no
// call is parked at.
func freeNumber(c *config.Config, from int) tel.Number {
	taken := takenNumbers(c)
	for _, p := range c.Phones {
		taken[tel.Number(p.ID)] = true
	}
	first, _ := strconv.Atoi(string(c.Dialling.ParkFirst))
	last, _ := strconv.Atoi(string(c.Dialling.ParkLast))
	for n := from; n < 99999; n++ {
		if number := tel.Number(strconv.Itoa(n)); !taken[number] && !number.Emergency() && (n < first || n > last) {
			return number
		}
	}
	return ""
}

// freeID makes an id of a name: lower case, without accents, not taken.
func freeID(name, otherwise string, taken func(string) bool) string {
	plain := strings.NewReplacer("à", "a", "è", "e", "é", "e", "ì", "i", "ò", "o", "ù", "u")
	id := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r == ' ', r == '-', r == '_', r == '.':
			return '-'
		}
		return -1
	}, plain.Replace(strings.ToLower(strings.TrimSpace(name))))
	id = strings.Trim(id, "-")
	if len(id) > 30 {
		id = id[:30]
	}
	id = cmp.Or(id, otherwise)
	for n, base := 2, id; taken(id); n++ {
		id = base + "-" + strconv.Itoa(n)
	}
	return id
}
