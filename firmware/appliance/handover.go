package appliance

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// reportedCalls is how many of the last calls through a line the report shows as its test calls.
const reportedCalls = 20

// handover is the report with which an installer hands the box over: all of it as it is at this moment.
func (b *Box) handover(ctx context.Context) page.Handover {
	zone := b.numbering.Load().plan.Zone
	h := page.Handover{Made: time.Now().In(zone)}
	now, err := b.presentNow()
	if err != nil {
		b.log.Error("the report lacks what holds now", "err", err)
	}
	calls, err := b.lastCalls(ctx)
	network := b.network().State(ctx)
	cert := b.certificateState()
	h.Facts = []page.HandoverFact{
		{Key: "handover.serial", Text: strings.Join(network.Names, ", ")},
		{Key: "certificate.fingerprint", Text: cert.Pairs()},
	}
	h.Sections = []page.HandoverSection{
		b.reportNumbers(), b.reportLines(now), reportSound(now), reportCalls(calls, err, zone), b.reportPhones(now), b.reportLamps(now),
		reportNetwork(network), reportDebts(now),
	}
	return h
}

// presentNow is what holds now.
func (b *Box) presentNow() (control.Present, error) {
	doc, err := b.present.document()
	if err != nil {
		return control.Present{}, err
	}
	return control.DecodePresent(doc)
}

// lastCalls are the last calls through a line, the newest first.
func (b *Box) lastCalls(ctx context.Context) ([]store.Call, error) {
	if b.opts.Record == "" {
		return nil, store.ErrUnavailable
	}
	client := store.NewClient(b.opts.Record)
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	found, err := client.ListCalls(ctx, store.CallQuery{Span: store.Span{Limit: 200}})
	if err != nil {
		return nil, err
	}
	outside := slices.DeleteFunc(found.Items, func(c store.Call) bool { return !tel.OutsideParty(c.In) && !tel.OutsideParty(c.Out) })
	return outside[:min(len(outside), reportedCalls)], nil
}

func text(s string) page.Cell { return page.Cell{Text: s} }

func says(key string, args ...any) page.Cell {
	return page.Cell{Says: page.Said{Sentence: key, Args: args}}
}

// reportNumbers lists what can be called: the carriers' numbers, queues, people.
func (b *Box) reportNumbers() page.HandoverSection {
	s := page.HandoverSection{Key: "handover.numbers", Heads: []string{"handover.number", "handover.what", "handover.name"}}
	add := func(number tel.Number, what, name string) {
		if number != "" {
			s.Rows = append(s.Rows, []page.Cell{text(string(number)), says(what), text(name)})
		}
	}
	c := b.config()
	for _, t := range c.Trunks {
		for _, n := range append([]tel.Number{t.Number}, t.Numbers...) {
			add(n, "handover.outside", cmp.Or(t.Name, string(t.ID)))
		}
	}
	for _, q := range c.Queues {
		add(q.Number, "handover.queue", cmp.Or(q.Name, string(q.ID)))
	}
	for _, a := range c.Agents {
		add(a.Extension, "handover.person", cmp.Or(a.Name, string(a.ID)))
	}
	for _, g := range c.Groups {
		add(g.Number, "handover.group", cmp.Or(g.Name, g.ID))
	}
	return s
}

// reportLines tells of each line how it stands and how strong its signal is.
func (b *Box) reportLines(now control.Present) page.HandoverSection {
	s := page.HandoverSection{Key: "lines", Heads: []string{"handover.name", "handover.kind", "handover.state", "handover.level"}}
	for _, id := range slices.Sorted(maps.Keys(now.Lines)) {
		l := now.Lines[id]
		level := []string{}
		if l.Operator != "" {
			level = append(level, l.Operator)
		}
		if l.Technology != "" {
			level = append(level, l.Technology)
		}
		if l.VoLTE != "" {
			level = append(level, "VoLTE "+l.VoLTE)
		}
		if l.Signal != 0 {
			level = append(level, fmt.Sprintf("%d dBm", l.Signal))
		}
		s.Rows = append(s.Rows, []page.Cell{text(cmp.Or(l.Name, id)), says("type." + l.Type), says("cause." + string(l.Cause)), text(strings.Join(level, " · "))})
	}
	return s
}

// reportSound tells how the audio of each line's last call went.
func reportSound(now control.Present) page.HandoverSection {
	s := page.HandoverSection{Key: "handover.sound", Heads: []string{"handover.name", "handover.received", "handover.missing", "handover.silent", "handover.repairs"}}
	for _, id := range slices.Sorted(maps.Keys(now.Lines)) {
		l := now.Lines[id]
		if l.Sound == (tel.LineSound{}) {
			continue
		}
		seconds := float64(l.Sound.Received) / 50
		s.Rows = append(s.Rows, []page.Cell{
			text(cmp.Or(l.Name, id)), text(fmt.Sprintf("%.1f s", seconds)), text(fmt.Sprint(l.Sound.Missing + l.Sound.Dropped)), text(fmt.Sprintf("%d s", l.Sound.Silent)), text(fmt.Sprint(l.Sound.Restarts)),
		})
	}
	return s
}

// reportCalls lists the last calls through a line: who proves that both directions were heard.
func reportCalls(calls []store.Call, err error, zone *time.Location) page.HandoverSection {
	s := page.HandoverSection{Key: "handover.calls", Heads: []string{"history.when", "handover.from", "handover.to", "handover.through", "handover.length", "handover.lost"}}
	if err != nil {
		s.Rows = [][]page.Cell{{says("handover.away")}}
		s.Heads = []string{"handover.state"}
		return s
	}
	for _, c := range calls {
		length := says("handover.unanswered")
		if !c.Answered.IsZero() {
			length = text(c.Ended.Sub(c.Answered).Round(time.Second).String())
		}
		through := c.In
		if !tel.OutsideParty(through) {
			through = c.Out
		}
		var heard []string
		for _, m := range c.Media {
			heard = append(heard, fmt.Sprintf("%s %d/%d", m.Codec, m.Lost, m.Received))
		}
		s.Rows = append(s.Rows, []page.Cell{text(c.Started.In(zone).Format("2006-01-02 15:04")), text(string(c.From)), text(string(c.To)), text(through), length, text(strings.Join(heard, ", "))})
	}
	return s
}

func (b *Box) reportPhones(now control.Present) page.HandoverSection {
	s := page.HandoverSection{Key: "handover.phones", Heads: []string{"handover.name", "handover.state", "handover.model", "network.address"}}
	for _, p := range b.config().Phones {
		d, there := now.Devices[p.ID]
		state := says("handover.absent")
		if there && d.Reachable {
			state = says("handover.there")
		}
		s.Rows = append(s.Rows, []page.Cell{text(strings.TrimSpace(string(p.ID) + " " + p.Name)), state, text(d.UserAgent), text(d.Address)})
	}
	return s
}

func (b *Box) reportLamps(now control.Present) page.HandoverSection {
	s := page.HandoverSection{Key: "lamps", Heads: []string{"handover.lamp", "handover.person", "handover.output", "handover.state"}}
	c := b.config()
	for _, l := range c.Lamps {
		of := c.Subject(l)
		shown, known := now.AllLamps[l.ID]
		var state page.Cell
		switch {
		case shown.Fault:
			state = says("lamp.fault")
		case of.Kind == lamp.Nobody:
			state = says("lamp.nobody")
		case known && shown.Says != string(lamp.Dark):
			state = says("signal." + shown.Says)
		}
		output := strings.Join(strings.Fields(strings.Join(append([]string{l.Driver, l.Chip, l.Line}, l.Lines...), " ")), " ")
		if !slices.Contains([]string{"gpio", "usb", "sim"}, l.Driver) {
			output += fmt.Sprintf(" %d", l.Bit)
		}
		s.Rows = append(s.Rows, []page.Cell{text(string(l.ID)), whose(c, of), text(output), state})
	}
	return s
}

// whose names what a lamp is of: the person, queue, phone or line, or the box itself.
func whose(c *config.Config, of lamp.Subject) page.Cell {
	name := of.ID
	find := func(id, called string) {
		if of.ID == id {
			name = cmp.Or(called, id)
		}
	}
	switch of.Kind {
	case lamp.System:
		return says("lamp.of.system")
	case lamp.Agent:
		for _, a := range c.Agents {
			find(string(a.ID), a.Name)
		}
	case lamp.Desk:
		for _, p := range c.Phones {
			find(string(p.ID), p.Name)
		}
	case lamp.Queue:
		for _, q := range c.Queues {
			find(string(q.ID), q.Name)
		}
	case lamp.Line:
		for _, t := range c.Trunks {
			find("trunk:"+string(t.ID), t.Name)
		}
		for _, l := range c.Lines {
			find("line:"+string(l.ID), l.Name)
		}
	}
	return text(name)
}

func reportNetwork(n page.NetworkState) page.HandoverSection {
	s := page.HandoverSection{Key: "network", Heads: []string{"handover.what", "handover.state"}}
	for _, i := range n.Interfaces {
		s.Rows = append(s.Rows, []page.Cell{text(strings.TrimSpace(i.Name + " " + i.Hardware)), text(strings.Join(i.Addresses, ", "))})
	}
	s.Rows = append(s.Rows,
		[]page.Cell{says("network.router"), text(n.Router)}, []page.Cell{says("network.dns"), text(strings.Join(n.DNS, ", "))},
		[]page.Cell{says("network.names"), text(strings.Join(n.Names, ", "))}, []page.Cell{says("network.seen"), {Says: page.Said{Sentence: "network.nat." + n.NAT}, Text: n.Public}},
	)
	if n.ALG != "" {
		s.Rows = append(s.Rows, []page.Cell{says("network.alg"), text(n.ALG)})
	}
	return s
}

// reportDebts lists what is still open.
func reportDebts(now control.Present) page.HandoverSection {
	s := page.HandoverSection{Key: "handover.debts", Heads: []string{"handover.what", "handover.detail"}}
	for _, name := range slices.Sorted(maps.Keys(now.Health)) {
		if h := now.Health[name]; !h.OK {
			s.Rows = append(s.Rows, []page.Cell{says("condition." + name), text(h.Text)})
		}
	}
	return s
}
