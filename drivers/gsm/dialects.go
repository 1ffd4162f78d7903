package gsm

import (
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/ussd"
)

// The hang-up ladder of 27.007 (sections 6.5 and 7.13).
var plainHangup = [3]string{"AT+CHUP", "ATH", "AT+CHLD=1%d"}

// sim7600 is the SIMCom SIM7600 and SIM7500 family: audio is a serial port of 8 kHz 16-bit samples.
var sim7600 = dialect{
	name:   "SIM7600",
	models: []string{"SIMCOM_SIM76", "SIMCOM_SIM75", "SIM76", "SIM75"},
	layouts: []usbLayout{
		{0x1e0e, 0x9001, 2, 4},
		{0x1e0e, 0x9011, 4, 6},
	},
	settings: settingsOf("ME",
		step{text: "AT+CVHU=0"}, // else ATH does not hang up a voice call
		step{text: "AT+CLCC=1"}, // each change of a call's state is told
		step{text: "AT+DDET=1", optional: true},
		step{text: "AT+CNSMOD=1", optional: true},
		step{text: "AT+AUTOCSQ=1,1", optional: true},
	),
	idleOnly: []step{{text: "AT+CPCMFRM=0", optional: true}, {text: "AT+CPCMREG=0", optional: true}},
	pinTries: triesQuestion{step{text: "AT+SPIC", prefix: "+SPIC:"}, 0},
	sound: soundPath{
		serial: true, on: "AT+CPCMREG=1", off: "AT+CPCMREG=0",
		ask: step{text: "AT+CPCMREG?", prefix: "+CPCMREG:"},
	},
	hangup: plainHangup,
	reset:  "AT+CRESET",
	digits: "AT+VTS=%c",
	keys:   true,
	survey: []step{{text: "AT+CPSI?", prefix: "+CPSI:"}},
	mutes:  []string{"LE20B06"}, // LilyGo-Modem-Series issue 542: the far end hears nothing
}

// a7670 is SIMCom's LTE Cat-1 family. Its sound is on pins. "VOICE CALL: BEGIN" comes with the ringback
// tone, and the first NO CARRIER while it falls back to an older network ends nothing.
var a7670 = dialect{
	name:    "A7670",
	models:  []string{"A7670", "A7672", "A7608", "SIMCOM_A76", "SIM7670", "SIM7672"},
	layouts: []usbLayout{{0x1e0e, 0x9018, 2, -1}, {0x1e0e, 0x9011, 4, -1}},
	settings: settingsOf("ME",
		step{text: "AT+CVHU=0", optional: true},
		step{text: "AT+CLCC=1", optional: true},
		step{text: "AT+DDET=1", optional: true},
		step{text: "AT+CEMODE=3", optional: true}, // voice before data: else only messages are sure to come
		step{text: "AT+CNSMOD=1", optional: true},
	),
	pinTries: triesQuestion{step{text: "AT+SPIC", prefix: "+SPIC:"}, 0},
	hangup:   plainHangup,
	reset:    "AT+CRESET",
	digits:   "AT+VTS=%c",
	keys:     true,
	survey:   []step{{text: "AT+CPSI?", prefix: "+CPSI:"}},
	early:    true,
	weakEnd:  40 * time.Second,
}

// sim800 is SIMCom's 2G family on a UART: sound on pins, calls told by the list alone.
var sim800 = dialect{
	name:   "SIM800",
	models: []string{"SIMCOM_SIM8", "SIMCOM_SIM9", "SIM8", "SIM9"},
	settings: settingsOf("SM",
		step{text: "AT+CLCC=1", optional: true},
		step{text: "AT+DDET=1,100,1,1", optional: true},
		step{text: `AT+CSCS="GSM"`, optional: true},
	),
	pinTries: triesQuestion{step{text: "AT+SPIC", prefix: "+SPIC:"}, 0},
	hangup:   plainHangup,
	reset:    "AT+CFUN=1,1",
	digits:   "AT+VTS=%c",
	keys:     true,
	look:     2 * time.Second,
}

// quectel is the EC2x and EG25 family. Its sound is a serial port with flow control: it wants large blocks,
// and +QPCMV: 0,0 says stop.
var quectel = dialect{
	name:    "Quectel EC2x",
	models:  []string{"EC20", "EC21", "EC25", "EG21", "EG25", "UC20"},
	layouts: []usbLayout{{0x2c7c, 0x0125, 2, 1}, {0x2c7c, 0x0121, 2, 1}, {0x05c6, 0x9215, 2, 1}, {0x05c6, 0x9003, 2, -1}},
	settings: settingsOf("ME",
		step{text: `AT+QURCCFG="urcport","all"`, optional: true}, // else RING comes out of another port
		step{text: `AT+QINDCFG="ccinfo",1,0`, optional: true},
		step{text: `AT+QINDCFG="ring",1`, optional: true},
		step{text: "AT^DSCI=1", optional: true}, // what older firmware has instead
		step{text: "AT+QTONEDET=1", optional: true},
		step{text: "AT+QSIMSTAT=1", optional: true},
		step{text: `AT+QCFG="ims",1`, prefix: "+QCFG:", optional: true}, // else a network without 2G and 3G has no calls
		step{text: `AT+QGPSCFG="outport","none"`, prefix: "+QGPSCFG:", optional: true},
		step{text: "AT+QAUDMOD=3", optional: true},
	),
	idleOnly: []step{{text: "AT+QPCMV=0", optional: true}}, // of a process before
	pinTries: triesQuestion{step{text: `AT+QPINC="SC"`, prefix: "+QPINC:"}, 1},
	sound: soundPath{
		// A UC20, or firmware for the USB sound card alone, does not know the command.
		serial: true, probe: step{text: "AT+QPCMV=?", prefix: "+QPCMV:"},
		on: "AT+QPCMV=1,0", off: "AT+QPCMV=0", block: 1600, gives: 640,
	},
	hangup: [3]string{"AT+CHUP", "ATH", "AT+CHLD=1%d"},
	reset:  "AT+CFUN=1,1",
	digits: `AT+VTS="%c"`,
	keys:   true,
	survey: []step{{text: "AT+QNWINFO", prefix: "+QNWINFO:"}},
	look:   2 * time.Second, // NO CARRIER is lost when its port dies
}

// quectel2G is the M95 and its like on a UART: sound on pins.
var quectel2G = dialect{
	name:     "Quectel M95",
	models:   []string{"M95", "QUECTEL_M95", "M66", "QUECTEL_M66"},
	settings: settingsOf("SM", step{text: "AT+QTONEDET=1", optional: true}),
	pinTries: triesQuestion{step{text: `AT+QPINC="SC"`, prefix: "+QPINC:"}, 1},
	hangup:   plainHangup,
	reset:    "AT+CFUN=1,1",
	digits:   `AT+VTS="%c"`,
	keys:     true,
	look:     2 * time.Second,
}

// huawei is the family of Huawei's sticks for 2G and 3G: sound is a serial port once ^DDSETEX has turned it
// there; messages lie on the SIM, and the text of service codes is packed. ^CURC=0, which would silence the
// chatter, also silences ^CONN and ^CEND on some firmware, so the chatter is listened to.
var huawei = dialect{
	name:   "Huawei stick",
	models: []string{"E1550", "E1552", "E153", "E169", "E173", "E1750", "E1752", "E303", "E3131", "K3520", "K3715", "K3765", "K4505", "K4605"},
	layouts: []usbLayout{
		{0x12d1, 0x1001, 2, 1},
		{0x12d1, 0x140c, 3, 2},
		{0x12d1, 0x14ac, 4, 3},
		{0x12d1, 0x1436, 4, 3},
		{0x12d1, 0x1506, 3, 2},
	},
	settings: settingsOf("SM",
		step{text: "AT^PORTSEL=1", optional: true}, // else the E173 tells its news at another port
	),
	idleOnly: []step{{text: "AT^CVOICE=0", optional: true}},
	pinTries: triesQuestion{step{text: "AT^CPIN?", prefix: "^CPIN:"}, 3},
	sound: soundPath{
		serial: true, probe: step{text: "AT^CVOICE?", prefix: "^CVOICE:"}, yes: "^CVOICE:0",
		on: "AT^DDSETEX=2", // only once ATD or ATA was taken; it ends with the call
	},
	// AT+CHLD=1x before ^CONF makes an E1550 deaf, so it is the last resort, before the restart.
	hangup: [3]string{"AT+CHUP", "AT+CHUP", "AT+CHLD=1%d"},
	reset:  "AT+CFUN=1,1",
	digits: "AT^DTMF=1,%c",
	ussd:   ussd.Packed,
}

// telit is HE910, LE910 and UL865: the call monitor tells each step; sound is on pins.
var telit = dialect{
	name:    "Telit",
	makers:  []string{"TELIT"},
	layouts: []usbLayout{{0x1bc7, 0x0021, 0, -1}, {0x1bc7, 0x1201, 4, -1}, {0x1bc7, 0x0036, 4, -1}},
	settings: settingsOf("SM",
		step{text: "AT#ECAM=1", optional: true},
		step{text: "AT#DTMF=1", optional: true},
	),
	pinTries: triesQuestion{step{text: "AT#PCT", prefix: "#PCT:"}, 0},
	hangup:   plainHangup,
	reset:    "AT#REBOOT",
	digits:   "AT+VTS=%c",
	keys:     true,
	look:     2 * time.Second,
}

// generic is any modem that speaks 3GPP TS 27.007: calls are signalled, sound stays in the modem.
var generic = dialect{
	name:     "27.007",
	settings: settingsOf("ME"),
	pinTries: triesQuestion{step{text: "AT+CPINR", prefix: "+CPINR:"}, 1}, // TS 27.007 section 8.65
	hangup:   plainHangup,
	reset:    "AT+CFUN=1,1",
	digits:   "AT+VTS=%c",
	look:     2 * time.Second,
}
