package view

import "slices"

// Headline answers in one sentence whether people can call and are answered now, or names the most important
// reason why not. One of Notice, Line and Key is its subject.
type Headline struct {
	Level  Level   // LevelOK, LevelWarn, LevelStarting or LevelDown
	Key    string  // of the sentence, of which the other two are parts
	Notice *Notice // the condition that does not hold; nil: it is about something else
	Line   *Line   // the line that does not serve; nil: it is about something else
	Link   string  // page on which it is mended; empty: on none
}

// Serving counts the lines that carry calls, of those that the owner wants.
func (o Office) Serving() (up, of int) {
	for _, l := range o.Lines {
		if l.Level != LevelOff {
			of++
		}
		if l.Level == LevelOK || l.Level == LevelWarn {
			up++
		}
	}
	return up, of
}

// AtWork counts the agents who take calls, now or after what they do.
func (o Office) AtWork() int { return count(o.Agents, Agent.atWork) }

// Headline finds the sentence: what keeps every call away comes before what keeps some away, and that before
// what only wants to be looked at.
func (o Office) Headline() Headline {
	up, of := o.Serving()
	broken := slices.IndexFunc(o.Lines, func(l Line) bool { return l.Level == LevelDown })
	bad := func(severity string) *Notice {
		for _, h := range o.Health {
			// That no line works is said with the cause of one of them.
			if h.Severity == severity && (h.Condition != "lines" || broken < 0) {
				n := noticeOf(h)
				return &n
			}
		}
		return nil
	}
	worst, warned := bad("error"), bad("warn")
	switch {
	case worst != nil:
		return Headline{Level: LevelDown, Key: "headline.notice", Notice: worst, Link: worst.Link}
	case of == 0:
		return Headline{Level: LevelDown, Key: "headline.no_line", Link: "/lines/new"}
	case up == 0 && broken >= 0:
		return Headline{Level: LevelDown, Key: "headline.lines", Line: &o.Lines[broken], Link: "/lines"}
	case up == 0:
		return Headline{Level: LevelStarting, Key: "headline.starting", Link: "/lines"}
	case len(o.Agents) == 0:
		return Headline{Level: LevelDown, Key: "headline.no_people", Link: "/people/new"}
	case broken >= 0:
		return Headline{Level: LevelWarn, Key: "headline.line", Line: &o.Lines[broken], Link: "/lines"}
	case o.AtWork() == 0:
		return Headline{Level: LevelWarn, Key: "headline.nobody", Link: "/people"}
	case warned != nil:
		return Headline{Level: LevelWarn, Key: "headline.but", Notice: warned, Link: warned.Link}
	default:
		return Headline{Level: LevelOK, Key: "headline.ok"}
	}
}
