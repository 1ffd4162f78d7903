package uitest

import (
	"testing"

	"github.com/pronto-pbx/pronto/ui/voice/voicetest"
)

// voices is what the box of the tests says: one sentence has been replaced.
func voices() *voicetest.Memory {
	m := &voicetest.Memory{}
	m.Put("it/greeting", "Buongiorno, before")
	return m
}

// aMessageIsRecorded presses the button, waits until something is heard, and presses it again: the box has a WAV of
// what the microphone heard. Chromium's own microphone beeps twice a second.
func aMessageIsRecorded(t *testing.T, b *Browser) {
	o := serve(t, "127.0.0.1:0", nil)
	p := b.Open(t, o.url("messages/own/ferie?lang=en"), Look{Width: 360, Height: 800})
	p.Wait(t, `!document.querySelector(".record").hidden && !document.querySelector(".record button").disabled`)
	p.Eval(t, `document.querySelector(".record button").click()`, nil)
	p.Wait(t, `document.querySelector(".record button").innerText === "Stop and use it" && document.querySelector(".record meter").value > 0.05`)
	var sticks []string
	if p.Eval(t, cut, &sticks); len(sticks) > 0 {
		t.Errorf("while it records, cut: %v", sticks)
	}
	p.Eval(t, `document.querySelector(".record button").click()`, nil)
	p.Wait(t, `location.search.includes("length=") && document.querySelector(".good")?.innerText.includes("In use")`)
	p.Eval(t, `fetch("/messages/sound/own/ferie").then((r) => r.arrayBuffer()).then((body) => { window.heard = new DataView(body); })`, nil)
	p.Wait(t, `!!window.heard`)
	var wrong string
	p.Eval(t, `(() => {
		const v = window.heard, word = (at) => String.fromCharCode(v.getUint8(at), v.getUint8(at + 1), v.getUint8(at + 2), v.getUint8(at + 3));
		if (word(0) !== "RIFF" || word(36) !== "data" || v.getUint32(40, true) !== v.byteLength - 44) return "no WAV";
		let peak = 0;
		for (let at = 44; at < v.byteLength; at += 2) peak = Math.max(peak, Math.abs(v.getInt16(at, true)));
		return peak > 1000 ? "" : "silence: " + peak;
	})()`, &wrong)
	if wrong != "" {
		t.Error(wrong)
	}
}
