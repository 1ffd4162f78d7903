package gsm

import (
	"strconv"
	"strings"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// vendorSignal reads the unsolicited lines that one maker alone has; each names its maker, so that no
// dialect needs to be known. ok is false for a line that is none of them.
func vendorSignal(l string) (signal, bool) {
	name, _, _ := strings.Cut(l, ":")
	f := at.Fields(l)
	switch name {
	case "+RXDTMF", "+DTMF", "#DTMFEV": // SIMCom, SIM800, Telit: the key itself
		return keyPressed(l, field(f, 0))
	case "+QTONEDET": // Quectel: the number of its character
		n, err := strconv.Atoi(field(f, 0))
		if err != nil || n < 0 || n > 0x7f {
			return signal{}, false
		}
		return keyPressed(l, string(rune(n)))
	case "^ORIG": // Huawei
		return callMoved(l, call{id: number(f, 0), stat: statDialing})
	case "^CONF":
		return callMoved(l, call{id: number(f, 0), stat: statAlerting})
	case "^CONN":
		return happened(l, event{kind: evBegin}), true
	case "^CEND": // call, seconds, how, and the network's cause where it has one
		why := tel.CauseNone
		if len(f) > 3 {
			why = causeFromNetwork(number(f, 3))
		}
		return happened(l, event{kind: evEnd, cause: why}), true
	case "+QIND": // Quectel: "ccinfo", call, direction, state as in +CLCC or -1, mode, multiparty, number, type
		if field(f, 0) != "ccinfo" {
			return signal{}, false
		}
		return listedBy(l, f, 1, 4, 6)
	case "^DSCI": // Quectel before: call, direction, state, type, number, type of number
		return listedBy(l, f, 0, 3, 4)
	case "#ECAM":
		return monitored(l, f)
	case "+QPCMV": // Quectel: 0,0 stop and 1,0 go on
		return signal{news: newsFlow, text: l, going: field(f, 0) == "1"}, true
	case "^BOOT":
		return signal{news: newsBeacon, text: l}, true
	case "^RSSI": // Huawei's +CSQ
		return signal{news: newsSignal, text: "+CSQ: " + field(f, 0)}, true
	case "NORMAL POWER DOWN", "POWER DOWN", "UNDER-VOLTAGE POWER DOWN", "UNDER-VOLTAGE WARNNING", "UNDER-VOLTAGE WARNING", "OVER-VOLTAGE POWER DOWN":
		return signal{news: newsPower, text: l}, true
	}
	return signal{}, false
}

func happened(l string, e event) signal { return signal{news: newsCall, text: l, event: e} }

func callMoved(l string, c call) (signal, bool) {
	return happened(l, event{kind: evCall, call: c}), true
}

func keyPressed(l, key string) (signal, bool) {
	if len(key) != 1 || !validDigit(key[0]) {
		return signal{}, false
	}
	return happened(l, event{kind: evDigit, digit: key[0]}), true
}

func number(f []string, i int) int {
	n, err := strconv.Atoi(field(f, i))
	if err != nil {
		return -1
	}
	return n
}

// listedBy reads one line of a maker's own list of calls: call, direction and state stand in a row from at;
// the mode of a voice call is 0.
func listedBy(l string, f []string, from, mode, caller int) (signal, bool) {
	id, dir, stat := number(f, from), number(f, from+1), number(f, from+2)
	if stat == -1 && field(f, from+2) == "-1" || stat == 7 {
		stat = int(statReleased)
	}
	if id < 0 || dir < 0 || dir > 1 || stat < 0 || stat > int(statReleased) || number(f, mode) != 0 {
		return signal{}, false
	}
	return callMoved(l, call{id: id, inbound: dir == 1, stat: callStat(stat), number: presented(field(f, caller), field(f, caller+1))})
}

// monitored reads Telit's call monitor: call, state, type (1 = voice). It does not say the direction of a
// call that talks.
func monitored(l string, f []string) (signal, bool) {
	id := number(f, 0)
	switch number(f, 1) {
	case 0:
		return happened(l, event{kind: evEnd}), true
	case 1, 2:
		return callMoved(l, call{id: id, stat: statDialing})
	case 3:
		return happened(l, event{kind: evBegin}), true
	case 5:
		return happened(l, event{kind: evKnock}), true
	case 6:
		return happened(l, event{kind: evRing}), true
	case 7:
		return happened(l, event{kind: evBusy}), true
	}
	return signal{}, false
}
