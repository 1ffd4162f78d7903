package main_test

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
)

// handset is a real telephone, with the words in which its maker says what happens.
type handset struct {
	maker
	rings, talks, over string
}

// maker is what baresip and linphone have in common.
type maker interface {
	Dial(number string)
	Answer()
	Hangup()
	Until(text string) string
	Heard() []int16
}

func byBaresip(p *pbxtest.Baresip) handset {
	return handset{p, "CALL_INCOMING", "CALL_ESTABLISHED", "CALL_CLOSED"}
}

func byLinphone(p *pbxtest.Linphone) handset {
	return handset{p, "incoming call", "Media streams established", "ended"}
}

// picksUp answers the call that rings here next.
func (h handset) picksUp() {
	h.Until(h.rings)
	h.Answer()
	h.Until(h.talks)
}

// calls is a call from one to the other that is answered.
func (h handset) calls(other handset, number string) {
	h.Dial(number)
	other.picksUp()
	h.Until(h.talks)
}

// part lets two talk for a while, ends their call and judges what they have heard: each the other.
func part(t *testing.T, a handset, hzA int, b handset, hzB int) {
	t.Helper()
	time.Sleep(talk)
	a.Hangup()
	a.Until(a.over)
	b.Until(b.over)
	hears(t, "who hung up", a.Heard(), hzB)
	hears(t, "the other", b.Heard(), hzA)
}
