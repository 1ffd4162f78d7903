package appliance

import (
	"slices"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/firmware/voicemail"
)

// menu is the script of a menu of the configuration.
func (n *numbering) menu(id string) (*ivr.Menu, bool) {
	i := slices.IndexFunc(n.cfg.Menus, func(m config.Menu) bool { return m.ID == id })
	if i < 0 {
		return nil, false
	}
	m := n.cfg.Menus[i]
	s := &ivr.Menu{
		Greeting: m.Greeting, Keys: m.Keys, Wait: m.Wait,
		Timeouts: m.Timeouts, TimeoutTo: m.TimeoutTo, Invalid: m.Invalid, InvalidTo: m.InvalidTo,
	}
	if m.Dial {
		s.DialFirst, s.DialLongest = n.dialable()
	}
	return s, true
}

// dialable sums up the internal numbers that a caller may dial in a menu: their first digits and
// their greatest length.
func (n *numbering) dialable() (first string, longest int) {
	for _, x := range n.internal() {
		if !slices.Contains([]byte(first), x[0]) {
			first += string(x[0])
		}
		longest = max(longest, len(x))
	}
	return first, longest
}

// internal lists the numbers of people and queues.
func (n *numbering) internal() []tel.Number {
	var all []tel.Number
	for _, a := range n.cfg.Agents {
		all = append(all, a.Extension)
	}
	for _, q := range n.cfg.Queues {
		all = append(all, q.Number)
	}
	return all
}

// deposit is the script that takes a message for a mailbox; busy chooses the greeting. ok is false
// for a number without mailbox.
func (b *Box) deposit(box tel.Number, busy bool, from tel.Number, name string) (s *ivr.Deposit, lang string, ok bool) {
	c := b.config()
	if _, ok := b.voicemail.Counts(box); !ok {
		return nil, "", false
	}
	kind, words := voicemail.Standard, ivr.StandardGreeting()
	if busy {
		kind, words = voicemail.Busy, ivr.BusyGreeting()
	}
	if own := b.voicemail.Greeting(box, kind); own != nil {
		words = own
	}
	return &ivr.Deposit{
		Box: string(box), Greeting: words, Full: !b.voicemail.Room(box), From: from, CallerName: name,
		Max: c.Voicemail.MaxLength, Silence: c.Voicemail.Silence, Review: c.Voicemail.Review,
	}, languageOf(c, box), true
}

// mailbox is the script that lets a person hear messages: the box of the phone's owner, or one whose
// number is asked.
func (b *Box) mailbox(from tel.DeviceID, ask bool) (s *ivr.Mailbox, lang string) {
	n := b.numbering.Load()
	owner := n.owners[from].Extension
	i := slices.IndexFunc(n.cfg.Voicemail.Boxes, func(m config.Mailbox) bool { return m.Number == owner })
	if ask || i < 0 {
		return &ivr.Mailbox{}, n.cfg.Box.Language
	}
	return &ivr.Mailbox{Box: string(owner), Own: n.cfg.Voicemail.Boxes[i].OwnPhone}, languageOf(&n.cfg, owner)
}

// announcement is the script that records an announcement; open leaves out the code.
func (b *Box) announcement(open bool) *ivr.Prompt {
	c := b.config()
	s := &ivr.Prompt{Numbers: map[string]string{}}
	if !open {
		s.Of = lockPrompts
	}
	for _, p := range c.Prompts.List {
		s.Numbers[string(p.Number)] = p.ID
	}
	return s
}

// carryOut does what a script asks of the rooms outside of its call, and reports whether the effect
// was one of these. reply may be called before it returns or later from another goroutine, once for
// each Check and List.
func (b *Box) carryOut(e ivr.Effect, call tel.CallID, reply func(ivr.Event)) bool {
	var err error
	switch e := e.(type) {
	case ivr.Check:
		b.check(e, reply)
	case ivr.List:
		b.list(e, reply)
	case ivr.Deliver:
		err = b.voicemail.Deliver(e.Path, voicemail.Message{
			Box: tel.Number(e.Box), Call: call, From: e.From, Name: e.CallerName, At: e.At,
		}, voicemail.MinLength)
	case ivr.Discard:
		err = b.voicemail.Discard(e.Path)
	case ivr.MarkHeard:
		err = b.voicemail.MarkHeard(tel.Number(e.Box), e.ID)
	case ivr.Keep:
		err = b.voicemail.Keep(tel.Number(e.Box), e.ID)
	case ivr.Delete:
		err = b.voicemail.Delete(tel.Number(e.Box), e.ID)
	case ivr.Undelete:
		err = b.voicemail.Undelete(tel.Number(e.Box), e.ID)
	case ivr.SaveGreeting:
		err = b.voicemail.SaveGreeting(tel.Number(e.Box), e.Kind, e.Path)
	case ivr.SavePrompt:
		err = b.voicemail.SavePrompt(e.ID, e.Path)
	case ivr.SetPIN: // hashing takes longer than a call should wait
		b.wg.Go(func() {
			if err := b.voicemail.SetPIN(tel.Number(e.Box), e.PIN); err != nil {
				b.log.Error("a mailbox's code is not changed", "box", e.Box, "err", err)
			}
		})
	default:
		return false
	}
	if err != nil {
		b.log.Error("a script's wish is not fulfilled", "call", call, "wish", e, "err", err)
	}
	return true
}

func (b *Box) check(e ivr.Check, reply func(ivr.Event)) {
	switch e.What {
	case ivr.CheckPIN:
		b.voicemail.CheckPIN(e.Of, e.Value, func(ok bool) { reply(ivr.Checked{OK: ok}) })
	case ivr.CheckNewPIN:
		reply(ivr.Checked{OK: tel.GoodPIN(tel.Number(e.Of), e.Value) == nil})
	case ivr.CheckExtension:
		reply(ivr.Checked{OK: slices.Contains(b.numbering.Load().internal(), tel.Number(e.Value))})
	default:
		b.log.Error("a script asks what nobody knows", "what", e.What)
		reply(ivr.Checked{})
	}
}

// list gives a mailbox's messages to a script. A box that is gone is an empty one.
func (b *Box) list(e ivr.List, reply func(ivr.Event)) {
	all, err := b.voicemail.List(tel.Number(e.Box))
	if err != nil {
		b.log.Warn("a script asks for a mailbox", "err", err)
	}
	var out ivr.Listed
	for _, m := range all {
		out.Messages = append(out.Messages, ivr.Message{
			ID: m.ID, From: m.From, Name: m.Name, At: m.At, Length: m.Length, Heard: !m.Heard.IsZero(),
		})
	}
	reply(out)
}
