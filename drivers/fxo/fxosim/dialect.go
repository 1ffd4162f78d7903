package fxosim

import "strings"

// Family is a kind of modem, as it shows itself.
type Family struct {
	Name    string
	Answers map[string]string // to commands without AT, in capitals: lines separated by \n
	Class8  bool              // it has voice at all, by +FCLASS
	Duplex  bool              // it has +VTR
	NoID    bool              // it has no +VCID
	Deaf    bool              // it gives no sound of a line on hook
	Ends    string            // what may follow DLE to end a duplex stream
	EndOK   bool              // it says OK behind the end, too
	Formats map[int]string    // code of +VSM -> "u8", "s8", "ulaw", "s16"
	Start   int               // format at power-on
	Flash   int               // ms of its own hook flash, as S29 tells it in units of 10; 0: it has none
	Queue   int               // ms of sound that gather before it plays, and again after an underrun
	Extras  []string          // prefixes of further commands that it takes with OK
	Volts   func(volts int, reversed bool) (command, answer string)
}

// Families are the modems that there are.
func Families() []Family {
	return []Family{Conexant(), SiliconLabs(), USR5637(), Rockwell(), DataOnly()}
}

func bridge(volts int, _ bool) (command, answer string) {
	if volts == 0 {
		return "-TRV", "1.4"
	}
	return "-TRV", []string{"0", "8.2", "48.3"}[1+volts/30]
}

// Conexant is a CX93001 on USB (0572:1340).
func Conexant() Family {
	return Family{
		Name: "conexant", Class8: true, Duplex: true, Ends: "^\x1b", EndOK: true, Start: 1, Queue: 200, Flash: 100,
		Answers: map[string]string{
			"+GMI": "CONEXANT", "+FMI?": "CONEXANT", "+GMM": "V90", "+FMM?": "V90", "+GMR": "CX93001-EIS_V0.2002-V92", "+FMR?": "CX93001-EIS_V0.2002-V92",
			"I0": "56000", "I3": "CX93001-EIS_V0.2002-V92", "I": "56000", "I4": "", "+FCLASS=?": "0,1,1.0,8", "+GCI=?": "(00,59,B5)",
			"+VSM=?": "0,\"SIGNED PCM\",8,0,8000,0,0\n1,\"UNSIGNED PCM\",8,0,8000,0,0\n129,\"IMA ADPCM\",4,0,8000,0,0\n130,\"UNSIGNED PCM\",8,0,8000,0,0\n140,\"2 Bit ADPCM\",2,0,8000,0,0",
			"+VLS=?": "(0-7)", "+VTR=?": "",
		},
		Formats: map[int]string{0: "s8", 1: "u8", 130: "u8"}, Extras: []string{"-STE=", "-SCID", "+FAA=", "+VNH=", "+VPR=", "+VDR="},
		Volts: bridge,
	}
}

// SiliconLabs is an ISOmodem with voice (Si2457): G.711, and a signed voltage of the line in its register 6C.
func SiliconLabs() Family {
	return Family{
		Name: "silabs", Class8: true, Duplex: true, Ends: "^\x03", EndOK: true, Start: 1, Queue: 60,
		Answers: map[string]string{
			"+GMI": "SILICON LABORATORIES", "+FMI?": "SILICON LABS", "+GMM": "Si2457", "+FMM?": "Si2457", "+GMR": "C", "+FMR?": "C", "I3": "Si2457", "I6": "2457", "I": "Si2457",
			"+FCLASS=?": "0,1,8", "+VSM=?": "0,\"SIGNED PCM\",8,0,8000,0,0\n1,\"UNSIGNED PCM\",8,0,8000,0,0\n4,\"ULAW\",8,0,8000,0,0\n5,\"ALAW\",8,0,8000,0,0\n129,\"G.726 ADPCM\",2,0,8000,0,0",
			"+VTR=?": "", "+VLS=?": "0,1,4,5,20,21",
		},
		Formats: map[int]string{0: "s8", 1: "u8", 4: "ulaw"}, Extras: []string{":U", "+VNH="},
		Volts: func(volts int, reversed bool) (command, answer string) {
			if reversed {
				volts = -volts
			}
			return ":R6C", strings.ToUpper(hex2(byte(int8(volts)))) + "00"
		},
	}
}

// USR5637 plays or listens, never both.
func USR5637() Family {
	return Family{
		Name: "usr", Class8: true, Ends: "^\x1b!", EndOK: true, Start: 128, Queue: 100,
		Answers: map[string]string{
			"+GMI": "U.S. ROBOTICS, INC.", "+FMI?": "U.S. ROBOTICS, INC.", "+GMM": "USR5637", "+FMM?": "USR5637", "I3": "U.S. Robotics 56K FAX USB V1.2.23", "I": "5637",
			"+FCLASS=?": "0,1,1.0,8", "+VSM=?": "128,\"8-BIT LINEAR\",(7200,8000,11025)\n129,\"4-BIT ADPCM\",(7200,8000)", "+VLS=?": "(0-7)",
		},
		Formats: map[int]string{128: "u8"}, Extras: []string{"+VNH=", "+VPR="},
	}
}

// Rockwell is a modem from before V.253: #CLS and #VLS, ADPCM, half duplex.
func Rockwell() Family {
	return Family{
		Name:    "rockwell",
		Answers: map[string]string{"I3": "V1.430-V34_DS -d Z207", "I": "33600", "+FCLASS=?": "0,1,2", "#CLS=?": "0,1,2,8", "#VBS?": "4", "+FMI?": "ROCKWELL", "+GMI": "ROCKWELL"},
		Extras:  []string{"#CLS=", "#VLS=", "#CID="},
	}
}

// DataOnly is a modem without voice, as many are that are sold as "56K USB modem".
func DataOnly() Family {
	return Family{
		Name:    "data",
		Answers: map[string]string{"+GMI": "LSI", "+FMI?": "AGERE", "+GMM": "56K", "I3": "AGERE OCM V.92", "I": "56000", "+FCLASS=?": "0,1,1.0,2"},
	}
}

func hex2(b byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[b>>4], digits[b&15]})
}
