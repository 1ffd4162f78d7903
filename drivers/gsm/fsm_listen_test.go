package gsm

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func hears(h heard) event { return event{kind: evHeard, heard: h} }

func callIn(id int, s callStat, n tel.Number) call {
	return call{id: id, inbound: true, stat: s, number: n}
}

// What differs from modem to modem is a trait; each has its rows.
func TestCallsFollowTheTableOfTheirModem(t *testing.T) {
	s := time.Second
	doubted := []row{
		{0, dial, "ATD", dialing},
		{0, dialedAs(accepted), "dial(<nil>) PROCEEDING", proceeding},
		{0, begin, "sound+", connecting},
		{0, soundOn, "", listening},
	}
	told := append(doubted[:3:3], row{0, soundOn, "CONNECTED", talking})
	caller := []row{
		{0, event{kind: evCall, call: callIn(1, statIncoming, "06111")}, "INCOMING:06111", incoming},
		{0, answer, "ATA", answering},
		{0, acceptedAs(accepted), "answer(<nil>)", answering},
		{0, begin, "sound+", connecting},
		{0, soundOn, "CONNECTED", talking},
	}
	knock := event{kind: evKnock, number: "06222"}
	both := event{kind: evList, calls: []call{callIn(1, statActive, "06111"), callIn(2, statWaiting, "06222")}}
	tests := map[string]struct {
		is   traits
		rows []row
	}{
		"ringback overrules the modem's connected, and the voice is the answer": {traits{sound: true, doubt: true}, append(doubted[:4:4],
			row{0, hears(heardRingback), "ALERTING", listening},
			row{2 * s, hears(heardVoice), "CONNECTED", talking})},
		"the far end answers without a word: the ringback ends": {traits{sound: true, doubt: true}, append(doubted[:4:4],
			row{0, hears(heardRingback), "ALERTING", listening},
			row{9 * s, hears(heardNothing), "CONNECTED", talking})},
		"a key is an answer": {traits{sound: true, doubt: true}, append(doubted[:4:4],
			row{0, event{kind: evDigit, digit: '5'}, "CONNECTED DIGIT:5", talking})},
		"a busy tone is busy, whatever the modem says": {traits{sound: true, doubt: true}, append(doubted[:4:4],
			row{0, hears(heardBusy), "hangup0", ending},
			row{0, end, "ENDED:busy sound-", settling})},
		"a congestion tone is congestion": {traits{sound: true, doubt: true}, append(doubted[:4:4],
			row{0, hears(heardCongestion), "hangup0", ending},
			row{0, end, "ENDED:congestion sound-", settling})},
		"nobody answers: the network ends it while it rings": {traits{sound: true, doubt: true}, append(doubted[:4:4],
			row{0, hears(heardRingback), "ALERTING", listening},
			row{40 * s, carrier, "ceer", asking},
			row{0, event{kind: evReason, cause: tel.CauseNoAnswer}, "ENDED:no_answer sound-", settling})},
		"ringing for ever is given up": {traits{sound: true, doubt: true}, append(doubted[:4:4],
			row{0, hears(heardRingback), "ALERTING", listening},
			row{181 * s, tick, "hangup0", ending})},
		"who calls us is never doubted": {traits{sound: true, doubt: true}, caller},
		"ringback after the connected of a modem that is believed is remembered": {traits{sound: true}, append(told[:4:4],
			row{0, hears(heardRingback), "lie", talking})},
		"ringback after the first voice is somebody else's telephone": {traits{sound: true}, append(told[:4:4],
			row{0, hears(heardVoice), "", talking},
			row{0, hears(heardRingback), "", talking})},
		"the first NO CARRIER while the modem changes its network ends nothing": {traits{weakEnd: 40 * s}, []row{
			{0, dial, "ATD", dialing},
			{0, dialedAs(accepted), "dial(<nil>) PROCEEDING", proceeding},
			{5 * s, tick, "", proceeding}, // nor is it disturbed by a look
			{0, carrier, "", proceeding},
			{s, tick, "list", proceeding},
			{0, listOf(false, statDialing, ""), "", proceeding},
			{0, clcc(false, statAlerting), "ALERTING", alerting},
		}},
		"the second NO CARRIER is the end": {traits{weakEnd: 40 * s}, []row{
			{0, dial, "ATD", dialing},
			{0, dialedAs(accepted), "dial(<nil>) PROCEEDING", proceeding},
			{0, carrier, "", proceeding},
			{s, carrier, "ceer", asking},
		}},
		"a NO CARRIER that was the end is found in two lists": {traits{weakEnd: 40 * s}, []row{
			{0, dial, "ATD", dialing},
			{0, dialedAs(accepted), "dial(<nil>) PROCEEDING", proceeding},
			{0, carrier, "", proceeding},
			{s, tick, "list", proceeding},
			{0, nobody, "", proceeding},
			{s, tick, "list", proceeding},
			{0, nobody, "ceer", asking},
		}},
		"a NO CARRIER after the change of network is the end": {traits{weakEnd: 40 * s}, []row{
			{0, dial, "ATD", dialing},
			{0, dialedAs(accepted), "dial(<nil>) PROCEEDING", proceeding},
			{41 * s, carrier, "ceer", asking},
		}},
		"a reason that comes with the end is not asked for": {traits{sound: true}, []row{
			{0, dial, "ATD", dialing},
			{0, dialedAs(accepted), "dial(<nil>) PROCEEDING", proceeding},
			{0, event{kind: evEnd, cause: tel.CauseUnallocated}, "ENDED:unallocated", settling},
		}},
		"a second caller is turned away": {traits{sound: true}, append(caller[:5:5],
			row{0, knock, "chld0", talking},
			row{5 * s, tick, "list", talking},
			row{0, both, "chld0", talking})},
		"a second caller who may wait is no end of the first call, nor its continuation": {traits{sound: true, knock: true}, append(caller[:5:5],
			row{0, knock, "", talking},
			row{5 * s, tick, "list", talking},
			row{0, both, "", talking},
			row{0, event{kind: evCall, call: callIn(2, statReleased, "")}, "", talking},
			row{0, event{kind: evCall, call: callIn(1, statReleased, "")}, "ENDED:normal sound-", settling})},
		"who waits rings when the first call has ended": {traits{sound: true, knock: true}, append(caller[:5:5],
			row{0, knock, "", talking},
			row{0, end, "ENDED:normal sound-", settling},
			row{0, event{kind: evCall, call: callIn(2, statIncoming, "06222")}, "INCOMING:06222", incoming})},
		"who waits is found in the list when its RING is lost": {traits{sound: true, knock: true}, append(caller[:5:5],
			row{0, knock, "", talking},
			row{0, end, "ENDED:normal sound-", settling},
			row{s, tick, "list", idle},
			row{0, event{kind: evList, calls: []call{callIn(2, statIncoming, "06222")}}, "INCOMING:06222", incoming})},
		"our hang-up ends the first call though another waits": {traits{sound: true, knock: true}, append(caller[:5:5],
			row{0, knock, "", talking},
			row{0, hangup, "hangup0", ending},
			row{0, hungUp(accepted), "list", ending},
			row{0, event{kind: evList, calls: []call{callIn(2, statWaiting, "06222")}}, "ENDED:normal sound-", settling})},
		"a modem that tells no end is looked at sooner": {traits{sound: true, look: 2 * s}, append(caller[:5:5],
			row{2 * s, tick, "list", talking})},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var st state
			now := time.Unix(1_000_000, 0)
			for i, r := range tt.rows {
				now = now.Add(r.after)
				var acts []action
				st, acts = next(st, r.e, now, &timing, tt.is)
				if got := words(acts); got != r.does || st.phase != r.phase {
					t.Fatalf("step %d: %q in %v, want %q in %v", i, got, st.phase, r.does, r.phase)
				}
			}
		})
	}
}
