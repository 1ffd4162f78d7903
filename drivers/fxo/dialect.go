package fxo

import "strings"

// dialect is how one family of voice modems speaks, as data.
type dialect struct {
	name     string
	marks    []string // parts of what it says of itself (+FMI?, +FMM?, ATI3), in capitals
	settings []string // sent after every start; an ERROR is no reason to stop
	ends     []string // what ends a duplex stream, tried in this order
	named    map[int]coding
	lead     int    // ms of sound that it must hold before it plays, else it says <DLE>u
	volts    string // asks for the voltage between the wires; empty: it has no voltmeter
	flash    string // sets the length of its hook flash, with a place for ms in hexadecimal; empty: S29 tells it
	signed   bool   // the answer is a register whose upper byte is the voltage with its sign, in V
	half     bool   // it plays or listens, never both: +VTR is not even asked for
}

// The ways to end a stream of both directions (V.253 section 9; Conexant's; what others were found to want).
var usualEnds = []string{"\x10^", "\x10\x1b", "\x10\x03", "\x10!", "\x10\x10\x10^"}

// common are the settings of each V.253 modem, beside class and format. DTR is ignored (&D0), so that a restart of
// ours ends no call; no result of a data call, no automatic answer.
var common = []string{"AT&D0", "ATX4", "ATS0=0", "AT+VIT=0", "AT+VNH=1", "AT+VSD=128,0", "AT+VGR=128", "AT+VGT=128"}

var (
	// conexant: CX930xx and its relatives on USB. Its buffer must be kept full: it was found to say <DLE>u below 500 ms
	// with some firmware and to do with 120 ms with other, so that the lead grows when it complains.
	conexant = dialect{
		name: "Conexant", marks: []string{"CONEXANT", "CX930", "CX068", "CX818"},
		settings: []string{"AT-STE=7", "AT-SCID=1"}, ends: usualEnds,
		named: map[int]coding{130: unsigned8, 131: muLaw, 132: aLaw, 133: signed16, 128: unsigned8}, lead: 240, volts: "AT-TRV",
	}
	// silicon: the ISOmodems with voice. Register 6C has the line's voltage in its upper byte.
	silicon = dialect{
		name: "Silicon Labs", marks: []string{"SILICON", "SI24", "SI30"}, ends: []string{"\x10^", "\x10\x03", "\x10\x1b", "\x10!"},
		lead: 80, volts: "AT:R6C", signed: true, flash: "AT:U4F,%04X",
	}
	// usr: +VTR is in none of its manuals.
	usr = dialect{
		name: "USR", marks: []string{"U.S. ROBOTICS", "USR5637", "5637"}, ends: []string{"\x10\x1b", "\x10!", "\x10\x03", "\x10^"},
		named: map[int]coding{128: unsigned8}, lead: 200, half: true,
	}
	// rockwell: before V.253, with # commands and ADPCM.
	rockwell = dialect{name: "Rockwell", marks: []string{"ROCKWELL"}, ends: usualEnds, half: true}
	// generic is V.253 and no more.
	generic = dialect{name: "V.253", ends: usualEnds, lead: 240}
)

func dialects() []*dialect { return []*dialect{&conexant, &silicon, &usr, &rockwell} }

// dialectFor chooses by what the modem says of itself.
func dialectFor(said string) *dialect {
	said = strings.ToUpper(said)
	for _, d := range dialects() {
		for _, m := range d.marks {
			if strings.Contains(said, m) {
				return d
			}
		}
	}
	return &generic
}
