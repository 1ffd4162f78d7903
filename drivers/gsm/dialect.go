package gsm

import (
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/ussd"
)

// step is one command of the initialisation.
type step struct {
	text     string
	prefix   string // of its information lines
	plain    bool   // its answer has lines without a prefix
	optional bool   // an ERROR is no reason to stop
}

// usbLayout says which USB interfaces of a modem speak commands and audio.
type usbLayout struct {
	vendor, product uint16
	command, audio  int // bInterfaceNumber; audio -1 = none
}

// soundPath says how the sound of a call reaches the box. The zero value: it does not, the modem has it on
// pins or on a USB sound card, and the line carries signalling and messages only.
type soundPath struct {
	serial bool   // raw 16-bit samples at 8,000 Hz over a serial port, both ways
	probe  step   // at start; an ERROR or an answer without probeOK means that this unit's firmware has no sound
	yes    string // that the answer to probe contains; empty: any
	on     string // sent when the network has connected, again and again until it holds
	off    string // sent after the call; empty: ends by itself
	ask    step   // reads back whether the switch held; empty: its OK is enough
	block  int    // bytes of one write; 0: as many as were just read
	gives  int    // bytes that come at once; 0: 20 ms of sound
}

// triesQuestion asks how many tries the PIN has left.
type triesQuestion struct {
	step
	field int // of the answer, counted from 0
}

// dialect is how one family of modems speaks, as data. Every setting is sent after every restart and
// never trusted from the modem's own memory, where another program may have changed it.
type dialect struct {
	name     string
	makers   []string // prefixes of the answer to AT+CGMI, in capitals
	models   []string // prefixes of the answer to AT+CGMM, in capitals; without models a maker is enough
	layouts  []usbLayout
	settings []step // a call found at start skips those marked in idleOnly
	idleOnly []step // settings that would end or mute a call that is up
	pinTries triesQuestion

	sound soundPath

	hangup [3]string // the ladder, mildest first; %d is the call in the list
	reset  string    // restarts the modem with a new USB enumeration
	digits string    // how one DTMF digit is sent, %c
	keys   bool      // it tells the keys of the far end; else they are heard in the sound
	ussd   ussd.Form // of the text of +CUSD
	survey []step    // questions about band and technology, beside those of every modem

	// mutes are parts of the names of firmware (AT+CGMR) that users found to lose the sound of one direction.
	mutes []string
	// early: its "connected" comes with the network's first sound, not with the answer, so that a ringback
	// tone in the sound overrules it.
	early bool
	// weakEnd: a NO CARRIER so soon after dialling is no end, because the modem is falling back from LTE to
	// an older network; the list of calls decides. 0 = always an end.
	weakEnd time.Duration
	// look: between two looks at the list of calls in a call, where the end of a call may be told by nothing
	// else; 0 = Timing.Poll.
	look time.Duration
}

// traits are what the state machine of a call must know of its modem.
type traits struct {
	sound   bool          // sound reaches the box
	doubt   bool          // "connected" is believed when the sound does not contradict
	weakEnd time.Duration // as in dialect
	look    time.Duration // as in dialect
	knock   bool          // a second caller may wait while the line talks
}

// common are the settings that every 27.007 modem understands.
var common = []step{
	{text: "AT+COPS=3,0", optional: true}, // the operator's long name, format only
	{text: "AT+CREG=2", optional: true},
	{text: "AT+CEREG=2", optional: true},
	{text: "AT+CIREG=2", optional: true}, // changes of telephony over LTE are told
	// +CRC=1 left by another program turns RING into +CRING: VOICE; both are understood all the same.
	{text: "AT+CRC=0", optional: true},
	{text: "AT+CLIP=1", optional: true},
	{text: "AT+COLP=0", optional: true},
	{text: "AT+CLIR=0", optional: true},
	// Messages stay stored in the modem until they are safe with us; none is pushed at us. Delivery
	// reports are stored too where the modem can: the second +CNMI fails where it cannot.
	{text: "AT+CMGF=0", optional: true},
	{text: "AT+CSMS=0", prefix: "+CSMS:", optional: true}, // no acknowledgements of pushed reports are wanted
	{text: "AT+CNMI=2,1,0,1,0", optional: true},
	{text: "AT+CNMI=2,1,0,2,0", optional: true},
}

// secondCaller says what becomes of who calls while the line talks (TS 27.007 section 7.12): the network's
// busy tone, or a wait that the modem tells.
func secondCaller(waits bool) step {
	if waits {
		return step{text: "AT+CCWA=1,1,1", optional: true}
	}
	return step{text: "AT+CCWA=0,0,1", optional: true}
}

// storage chooses where new messages go, with a fall-back: the later of the two holds.
func storage(preferred string) []step {
	return []step{
		{text: `AT+CPMS="SM","SM","SM"`, prefix: "+CPMS:", optional: true},
		{text: `AT+CPMS="` + preferred + `","` + preferred + `","` + preferred + `"`, prefix: "+CPMS:", optional: true},
	}
}

// settingsOf are the common settings, the storage of messages, and what a family wants beside them.
func settingsOf(memory string, own ...step) []step {
	return append(append(append([]step(nil), common...), storage(memory)...), own...)
}

// memories are looked through for messages; one that a modem does not have is left out.
var memories = []string{"SM", "ME", "SR"}

// dialects in the order in which they are tried: a model before its maker.
func dialects() []*dialect {
	return []*dialect{&sim7600, &a7670, &sim800, &quectel, &quectel2G, &huawei, &telit}
}

// dialectFor chooses by the answers to AT+CGMI and AT+CGMM; what is not known is 27.007 and no more.
func dialectFor(maker, model string) *dialect {
	maker, model = strings.ToUpper(strings.TrimSpace(maker)), strings.ToUpper(strings.TrimSpace(model))
	for _, d := range dialects() {
		if begins(model, d.models) || len(d.models) == 0 && begins(maker, d.makers) {
			return d
		}
	}
	return &generic
}

func contains(s string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

func begins(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
