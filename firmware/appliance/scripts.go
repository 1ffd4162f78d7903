package appliance

import (
	"fmt"
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

// clerk does for scripts what lies outside of a call. Nothing in it waits for the disk or for a code
// to be hashed.
type clerk struct{ b *Box }

// Check answers whether a code or a number is right, from any goroutine.
func (c clerk) Check(q ivr.Check, answer func(ok bool)) {
	switch q.What {
	case ivr.CheckPIN:
		c.b.voicemail.CheckPIN(q.Of, q.Value, answer)
	case ivr.CheckNewPIN:
		answer(tel.GoodPIN(tel.Number(q.Of), q.Value) == nil)
	case ivr.CheckExtension:
		answer(slices.Contains(c.b.numbering.Load().internal(), tel.Number(q.Value)))
	default:
		c.b.log.Error("a script asks what nobody knows", "what", q.What)
		answer(false)
	}
}

// List answers with the messages of a mailbox, oldest first. A box that is gone is an empty one.
func (c clerk) List(box string, answer func([]ivr.Message)) {
	all, err := c.b.voicemail.List(tel.Number(box))
	if err != nil {
		c.b.log.Warn("a script asks for a mailbox", "err", err)
	}
	var out []ivr.Message
	for _, m := range all {
		out = append(out, ivr.Message{
			ID: m.ID, From: m.From, Name: m.Name, At: m.At, Length: m.Length, Heard: !m.Heard.IsZero(),
		})
	}
	answer(out)
}

// Spool is the file for a recording of that name.
func (c clerk) Spool(name string) string { return c.b.voicemail.Spool(name) }

// Do carries out what a script wants done with messages, greetings, codes and announcements.
func (c clerk) Do(e ivr.Effect) {
	var err error
	v := c.b.voicemail
	switch e := e.(type) {
	case ivr.Deliver:
		err = v.Deliver(e.Path, voicemail.Message{
			Box: tel.Number(e.Box), From: e.From, Name: e.CallerName, At: e.At,
		}, voicemail.MinLength)
	case ivr.Discard:
		err = v.Discard(e.Path)
	case ivr.MarkHeard:
		err = v.MarkHeard(tel.Number(e.Box), e.ID)
	case ivr.Keep:
		err = v.Keep(tel.Number(e.Box), e.ID)
	case ivr.Delete:
		err = v.Delete(tel.Number(e.Box), e.ID)
	case ivr.Undelete:
		err = v.Undelete(tel.Number(e.Box), e.ID)
	case ivr.SaveGreeting:
		err = v.SaveGreeting(tel.Number(e.Box), e.Kind, e.Path)
	case ivr.SavePrompt:
		err = v.SavePrompt(e.ID, e.Path)
	case ivr.SetPIN: // hashing takes longer than a call should wait
		c.b.wg.Go(func() {
			if err := v.SetPIN(tel.Number(e.Box), e.PIN); err != nil {
				c.b.log.Error("a mailbox's code is not changed", "box", e.Box, "err", err)
			}
		})
	default:
		err = fmt.Errorf("%T is none of the clerk's business", e)
	}
	if err != nil {
		c.b.log.Error("a script's wish is not fulfilled", "wish", fmt.Sprintf("%T", e), "err", err)
	}
}
