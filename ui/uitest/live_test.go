package uitest

import (
	"fmt"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// wall is so high that nothing of the live page is off the screen: what is, is neither laid out nor moving.
func wall() Look { return Look{Width: 1280, Height: 4000} }

func noFaults(t *testing.T, p *Page, allowed ...string) {
	t.Helper()
	for _, f := range p.Faults(allowed...) {
		t.Errorf("console: %s", f)
	}
}

// anEventChangesThePage also proves that nothing is loaded anew: a mark on the window stays.
func anEventChangesThePage(t *testing.T, b *Browser) {
	o := serve(t, "127.0.0.1:0", Busy(time.Now()))
	p := b.Open(t, o.url("?lang=it"), Look{})
	p.Wait(t, isLive)
	p.Eval(t, `window.mark = true`, nil)
	o.push(t, tel.QueueJoined{Queue: "support", Call: "new", Caller: "+390298765432", At: time.Now().Add(-3 * time.Second)})
	p.Wait(t, `document.getElementById("wait-new").innerText.includes("+390298765432")`)
	p.Wait(t, `document.querySelector("#part-summary .figures").innerText.startsWith("5 persone in attesa")`)
	o.push(t, tel.AgentChanged{Agent: "agent1", Name: "Anna", State: tel.AgentTalking, Since: time.Now()},
		tel.LampChanged{Lamp: "lamp1", Agent: "agent1", State: tel.AgentTalking})
	p.Wait(t, `document.getElementById("agent-agent1").className === "tile talking"`)
	p.Wait(t, `document.querySelector("#lamp-lamp1 .what").innerText === "In chiamata"`)
	o.push(t, tel.QueueLeft{Queue: "support", Call: "new", Outcome: tel.OutcomeAbandoned})
	p.Wait(t, `!document.getElementById("wait-new")`)

	// What somebody has opened stays open while its figures change.
	p.Eval(t, `document.querySelector("#part-today details").open = true`, nil)
	o.push(t, tel.FiguresChanged{Calls: 144, Hours: []tel.HourFigures{{Hour: 8, Calls: 9, Answered: 8}, {Hour: 9, Calls: 1}}})
	p.Wait(t, `document.querySelector("#part-today dd").innerText === "144"`)
	p.Wait(t, `document.querySelector("#part-today details").open && document.querySelectorAll("#part-today tbody tr").length === 2`)

	// Timers tick without a word from the box.
	p.Eval(t, `window.before = document.querySelector("#wait-w2 time").textContent`, nil)
	p.Wait(t, `document.querySelector("#wait-w2 time").textContent !== window.before && window.mark`)
	noFaults(t, p)
}

// thePersonKeepsTheirPlace selects text and focuses an element while everything changes at 5 Hz.
func thePersonKeepsTheirPlace(t *testing.T, b *Browser) {
	o := serve(t, "127.0.0.1:0", Busy(time.Now()))
	p := b.Open(t, o.url("?lang=en"), Look{})
	p.Wait(t, isLive+` && document.getElementById("wait-w3")`)
	p.Eval(t, `(() => {
		const name = document.querySelector("#wait-w3 .tel");
		getSelection().selectAllChildren(name);
		const row = document.getElementById("wait-w2");
		row.tabIndex = 0; row.removeAttribute = () => {}; row.focus(); // as if the server had sent the tabindex
		window.kept = ["wait-w2", "wait-w3", "agent-agent1", "lamp-lamp3", "queue-sales", "part-agents", "call-c1"].map((id) => [id, document.getElementById(id)]);
		window.changes = 0;
		new MutationObserver((all) => { window.changes += all.length; }).observe(document.getElementById("main"), {subtree: true, childList: true, attributes: true, characterData: true});
	})()`, nil)
	// Rows go and come above the chosen ones; people, lamps, calls and lines change.
	states := tel.AgentStates()
	for i := range 15 {
		var all []tel.Event
		for a := 1; a <= 8; a++ {
			id, s := tel.AgentID(fmt.Sprintf("agent%d", a)), states[(i+a)%len(states)]
			all = append(all, tel.AgentChanged{Agent: id, State: s, Since: time.Now()}, tel.LampChanged{Lamp: tel.LampID(fmt.Sprintf("lamp%d", a)), Agent: id, State: s})
		}
		if i%2 == 0 {
			all = append(all, tel.QueueLeft{Queue: "sales", Call: "w1"}, tel.CallChanged{Call: "x", Stage: tel.StageTalking, From: "1", Since: time.Now().Add(-time.Hour)})
		} else {
			all = append(all, tel.QueueJoined{Queue: "sales", Call: "w1", Caller: "06", At: time.Now().Add(-time.Hour)}, tel.CallEnded{Call: "x"})
		}
		all = append(all, tel.LineChanged{Line: "trunk:tim", Name: "TIM", Type: "sip", Up: i%2 == 0, Cause: tel.LineUnreachable})
		o.push(t, all...)
		time.Sleep(200 * time.Millisecond) // the pace of the hub: each push is a frame of its own
	}
	o.push(t, tel.FiguresChanged{Calls: 999})
	p.Wait(t, `document.querySelector("#part-today dd").innerText === "999"`)
	var r struct {
		Changes         int
		Selected, Focus string
		Lost            []string
	}
	p.Eval(t, `({changes: window.changes, selected: getSelection().toString(), focus: document.activeElement.id,
		lost: window.kept.filter(([id, e]) => document.getElementById(id) !== e).map(([id]) => id)})`, &r)
	if r.Changes < 100 {
		t.Errorf("only %d changes: the test proved nothing", r.Changes)
	}
	if r.Selected != "+393331234567" {
		t.Errorf("selected text is now %q", r.Selected)
	}
	if r.Focus != "wait-w2" {
		t.Errorf("focus is now on %q", r.Focus)
	}
	if len(r.Lost) > 0 {
		t.Errorf("other nodes stand for %v", r.Lost)
	}
	noFaults(t, p)
}

// silenceIsSaid stops the box, starts it again on the same address, and looks at the words.
func silenceIsSaid(t *testing.T, b *Browser) {
	o := serve(t, fmt.Sprintf("127.0.0.1:%d", pbxtest.FreePort(t)), Busy(time.Now())) // one that nobody takes meanwhile
	p := b.Open(t, o.url("?lang=it"), Look{})
	p.Wait(t, isLive+` && document.getElementById("fresh").innerText === "In diretta"`)
	p.Eval(t, `(() => {
		const fresh = document.getElementById("fresh");
		window.mark = true;
		new MutationObserver(() => { if (!window.late && fresh.innerText === "Dati in ritardo") window.late = Date.now(); })
			.observe(fresh, {childList: true, subtree: true, characterData: true});
	})()`, nil)
	o.stop()
	p.Wait(t, `window.late`)
	p.Wait(t, `document.getElementById("fresh").innerText.startsWith("Collegamento perso: i dati sono fermi alle ") && !document.getElementById("fresh").innerText.includes("{0}")`)
	// The words name the second in which the last sign of life was heard, whenever the box was stopped after it.
	var silent int
	p.Eval(t, `(() => {
		const heard = new Date(window.late);
		heard.setHours(...document.getElementById("fresh").innerText.match(/(\d+):(\d+):(\d+)/).slice(1).map(Number), 0);
		return (window.late - heard + 86400000) % 86400000;
	})()`, &silent)
	if silent < 3000 || silent > 20000 {
		t.Errorf("late %d ms after the second of the last sign of life", silent)
	}
	var still string
	if p.Eval(t, `document.querySelector("#wait-w4 .tel").textContent`, &still); still != "+41445556677" {
		t.Errorf("the last values are gone: %q", still)
	}
	serve(t, o.addr, append(Busy(time.Now()), tel.FiguresChanged{Calls: 777}))
	p.Wait(t, isLive+` && document.getElementById("fresh").innerText === "In diretta" && document.querySelector("#part-today dd").innerText === "777" && window.mark`)
	noFaults(t, p, "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET")
}

func hostileNamesStayText(t *testing.T, b *Browser) {
	o := serve(t, "127.0.0.1:0", Attack(time.Now()))
	p := b.Open(t, o.url("?lang=en"), wall())
	p.Wait(t, isLive+` && document.getElementById("wait-w9")`)
	o.push(t, tel.AgentChanged{Agent: Hostile, State: tel.AgentReady, Since: time.Now(), Reason: Hostile})
	p.Wait(t, `[...document.querySelectorAll(".tile.ready .what")].some((e) => e.innerText.includes("<script>"))`)
	p.Wait(t, `document.querySelector("main").innerText.split("<script>").length > 9`) // the text is seen in each place
	var r struct {
		Title   string
		Foreign int
	}
	p.Eval(t, `({title: document.title, foreign: document.querySelectorAll("main script, main img, main [onerror]").length})`, &r)
	if r.Title != "Bottega Rossi switchboard" || r.Foreign != 0 {
		t.Errorf("title %q, %d foreign elements", r.Title, r.Foreign)
	}
	noFaults(t, p)
}

func thePageIsWholeWithoutScript(t *testing.T, b *Browser) {
	o := serve(t, "127.0.0.1:0", Busy(time.Now()))
	look := wall()
	look.NoScript = true
	p := b.Open(t, o.url("?lang=it"), look)
	for _, want := range []string{"4 persone in attesa", "squilla da Carla", "numero nascosto", "Post-chiamata", "telefono non collegato", "Situazione alle ", "Aggiorna", "1:02:0"} {
		p.Wait(t, fmt.Sprintf(`document.body.innerText.includes(%q)`, want))
	}
	noFaults(t, p)
}

func nothingMovesForThoseWhoAskForStillness(t *testing.T, b *Browser) {
	o := serve(t, "127.0.0.1:0", Busy(time.Now()))
	look := wall()
	look.Still = true
	p := b.Open(t, o.url(""), look)
	p.Wait(t, isLive+` && document.querySelector("main").innerText.includes("Nicola")`)
	var still, moving int
	p.Eval(t, `document.getAnimations().length`, &still)
	p.Look(t, wall())
	// Nine of the eleven states blink, each lamp is seen twice, and the glyph of ringing turns.
	const all = 2*9 + 1
	p.Wait(t, fmt.Sprintf(`document.getAnimations().length >= %d`, all))
	p.Eval(t, `document.getAnimations().length`, &moving)
	if still != 0 || moving != all {
		t.Errorf("%d animations for who asks for none, %d for others", still, moving)
	}
}
