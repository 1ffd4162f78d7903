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

// dialect is how one family of modems speaks, as data. Every setting is sent after every restart and
// never trusted from the modem's own memory, where another program may have changed it.
type dialect struct {
	name     string
	models   []string // prefixes of the answer to AT+CGMM
	layouts  []usbLayout
	settings []step // a call found at start skips those marked in idleOnly
	idleOnly []step // settings that would end or mute a call that is up
	pinTries step   // asks how many PIN attempts are left; empty = cannot be asked

	audio    bool // sound passes over a serial port, switched by audioOn and audioOff
	audioOn  string
	audioOff string
	audioAsk step // reads back whether the switch held

	hangup [3]string // the ladder, mildest first; %d is the call in the list
	reset  string    // restarts the modem with a new USB enumeration
	digits string    // how one DTMF digit is sent, %c
	ussd   ussd.Form // of the text of +CUSD
	survey []step    // questions about band and technology, beside those of every modem
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
	// A second caller gets the network's busy tone: the line carries one call.
	{text: "AT+CCWA=0,0,1", optional: true},
	{text: "AT+COLP=0", optional: true},
	{text: "AT+CLIR=0", optional: true},
	// Messages stay stored in the modem until they are safe with us; none is pushed at us. Delivery
	// reports are stored too where the modem can: the second +CNMI fails where it cannot.
	{text: "AT+CMGF=0", optional: true},
	{text: "AT+CSMS=0", prefix: "+CSMS:", optional: true}, // no acknowledgements of pushed reports are wanted
	{text: "AT+CNMI=2,1,0,1,0", optional: true},
	{text: "AT+CNMI=2,1,0,2,0", optional: true},
}

// storage chooses where new messages go, with a fall-back: the later of the two holds.
func storage(preferred string) []step {
	return []step{
		{text: `AT+CPMS="SM","SM","SM"`, prefix: "+CPMS:", optional: true},
		{text: `AT+CPMS="` + preferred + `","` + preferred + `","` + preferred + `"`, prefix: "+CPMS:", optional: true},
	}
}

// memories are looked through for messages; one that a modem does not have is left out.
var memories = []string{"SM", "ME", "SR"}

// sim7600 is the SIMCom SIM7600 and SIM7500 family: audio is a serial port of 8 kHz 16-bit samples.
var sim7600 = dialect{
	name:   "SIM7600",
	models: []string{"SIMCOM_SIM76", "SIMCOM_SIM75", "SIM76", "SIM75"},
	layouts: []usbLayout{
		{0x1e0e, 0x9001, 2, 4},
		{0x1e0e, 0x9011, 4, 6},
	},
	settings: append(append(append([]step(nil), common...), storage("ME")...),
		step{text: "AT+CVHU=0"}, // else ATH does not hang up a voice call
		step{text: "AT+CLCC=1"}, // each change of a call's state is told
		step{text: "AT+DDET=1", optional: true},
		step{text: "AT+CNSMOD=1", optional: true},
		step{text: "AT+AUTOCSQ=1,1", optional: true},
	),
	idleOnly: []step{{text: "AT+CPCMFRM=0", optional: true}, {text: "AT+CPCMREG=0", optional: true}},
	pinTries: step{text: "AT+SPIC", prefix: "+SPIC:"},
	audio:    true,
	audioOn:  "AT+CPCMREG=1",
	audioOff: "AT+CPCMREG=0",
	audioAsk: step{text: "AT+CPCMREG?", prefix: "+CPCMREG:"},
	hangup:   [3]string{"AT+CHUP", "ATH", "AT+CHLD=1%d"},
	reset:    "AT+CRESET",
	digits:   "AT+VTS=%c",
	survey:   []step{{text: "AT+CPSI?", prefix: "+CPSI:"}},
}

// huawei is the family of Huawei's sticks for 2G and 3G, as far as it is signalling: its messages lie on
// the SIM, and the text of its service codes is packed.
var huawei = dialect{
	name:     "Huawei stick",
	models:   []string{"E1550", "E1552", "E173", "E1750", "E1752", "E303", "E3131", "K3765", "K4605"},
	settings: append(append([]step(nil), common...), storage("SM")...),
	hangup:   [3]string{"AT+CHUP", "ATH", "AT+CHLD=1%d"},
	reset:    "AT+CFUN=1,1",
	digits:   "AT^DTMF=1,%c",
	ussd:     ussd.Packed,
}

// generic is any modem that speaks 3GPP TS 27.007: calls are signalled, sound stays in the modem.
var generic = dialect{
	name:     "27.007",
	settings: append(append([]step(nil), common...), storage("ME")...),
	hangup:   [3]string{"AT+CHUP", "ATH", "AT+CHLD=1%d"},
	reset:    "AT+CFUN=1,1",
	digits:   "AT+VTS=%c",
}

// dialectFor chooses by the answer to AT+CGMM.
func dialectFor(model string) *dialect {
	for _, d := range []*dialect{&sim7600, &huawei} {
		for _, m := range d.models {
			if strings.HasPrefix(strings.TrimSpace(model), m) {
				return d
			}
		}
	}
	return &generic
}

// Timing holds every wait of the driver. The zero value of a field takes its default.
type Timing struct {
	Announce  time.Duration // first RING to Incoming, in the hope of a number; 1.5 s
	RingGap   time.Duration // without RING, a caller has gone; 7 s
	RingMax   time.Duration // an unanswered call is refused; 3 min
	Command   time.Duration // answer to ATD or ATA; 40 s, a fall-back from LTE to 3G takes as long
	SetUp     time.Duration // dialled to answered; 3 min
	AudioOn   time.Duration // answered to sound; 12 s
	AudioTry  time.Duration // between two tries to switch the audio on; 500 ms
	Poll      time.Duration // between two looks at the modem's list of calls; 5 s
	Rung      [3]time.Duration
	Cause     time.Duration   // answer to the question why a call failed; 1 s
	Settle    time.Duration   // after a call, in which its last words are no news; 500 ms
	Probe     time.Duration   // one resync probe of the engine; 1 s
	Reply     time.Duration   // any other command; 5 s
	Health    time.Duration   // between two signs of life of an idle modem; 10 s
	Survey    time.Duration   // between two looks at registration and signal; 30 s
	Reopen    []time.Duration // between two tries to get an ailing modem into service; 1, 2, 5, 10, 15 s
	Rescan    time.Duration   // between two looks for a modem that is not there; 2 s
	Network   time.Duration   // the network's answer to a message or a service code; 40 s
	Sweep     time.Duration   // between two looks at the stored messages; 10 min
	Rest      time.Duration   // after a failure with messages; 30 s
	BootGrace time.Duration   // words of a starting modem are no news so long after an initialisation; 30 s
}

func (t Timing) withDefaults() Timing {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&t.Announce, 1500*time.Millisecond)
	def(&t.RingGap, 7*time.Second)
	def(&t.RingMax, 3*time.Minute)
	def(&t.Command, 40*time.Second)
	def(&t.SetUp, 3*time.Minute)
	def(&t.AudioOn, 12*time.Second)
	def(&t.AudioTry, 500*time.Millisecond)
	def(&t.Poll, 5*time.Second)
	def(&t.Rung[0], 2*time.Second)
	def(&t.Rung[1], 3*time.Second)
	def(&t.Rung[2], 3*time.Second)
	def(&t.Cause, time.Second)
	def(&t.Settle, 500*time.Millisecond)
	def(&t.Probe, time.Second)
	def(&t.Reply, 5*time.Second)
	def(&t.Health, 10*time.Second)
	def(&t.Survey, 30*time.Second)
	def(&t.Network, 40*time.Second)
	def(&t.Sweep, 10*time.Minute)
	def(&t.Rest, 30*time.Second)
	def(&t.BootGrace, 30*time.Second)
	def(&t.Rescan, 2*time.Second)
	if len(t.Reopen) == 0 {
		// The last one and the time of a try that comes too early make less than the 40 s in which a line
		// has to be in service again.
		t.Reopen = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second}
	}
	return t
}
