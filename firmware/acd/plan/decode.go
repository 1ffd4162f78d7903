package plan

import (
	"encoding/json"
	"fmt"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// DecodeEvent is the inverse of an event's Kind and json.Marshal.
func DecodeEvent(kind string, body []byte) (Event, error) {
	for _, decode := range [...]func(string, []byte) (Event, error){decodeTold, decodeBox, decodeCommand} {
		if e, err := decode(kind, body); e != nil || err != nil {
			return e, err
		}
	}
	return nil, fmt.Errorf("unknown queue event %q", kind)
}

// decodeTold is DecodeEvent of what calls tell; nothing of another kind.
func decodeTold(kind string, body []byte) (Event, error) {
	switch kind {
	case "enqueue":
		return told[tel.Enqueue](body)
	case "caller_gone":
		return told[tel.CallerGone](body)
	case "offer_ringing":
		return told[tel.OfferRinging](body)
	case "offer_failed":
		return told[tel.OfferFailed](body)
	case "offer_settled":
		return told[tel.OfferSettled](body)
	case "offer_answered":
		return told[tel.OfferAnswered](body)
	case "talk_ended":
		return told[tel.TalkEnded](body)
	case "caller_key":
		return told[tel.CallerKey](body)
	case "caller_greeted":
		return told[tel.CallerGreeted](body)
	case "caller_named":
		return told[tel.CallerNamed](body)
	case "announced":
		return told[tel.Announced](body)
	case "offer_accepted":
		return told[tel.OfferAccepted](body)
	case "want_callback":
		return told[tel.WantCallback](body)
	case "callback_missed":
		return told[tel.CallbackMissed](body)
	case "agent_engaged":
		return told[tel.AgentEngaged](body)
	case "agent_disengaged":
		return told[tel.AgentDisengaged](body)
	case "agent_reachable":
		return told[tel.AgentReachable](body)
	case "agent_held":
		return told[tel.AgentHeld](body)
	default:
		return nil, nil
	}
}

// decodeBox is DecodeEvent of what the box itself says: time, configuration, restarts; nothing of another kind.
func decodeBox(kind string, body []byte) (Event, error) {
	switch kind {
	case "tick":
		return decode[Tick](body)
	case "configure":
		return decode[Configure](body)
	case "reconcile":
		return decode[Reconcile](body)
	case "set_zone":
		return decode[SetZone](body)
	case "drain":
		return decode[Drain](body)
	case "hours":
		return decode[Hours](body)
	case "recall":
		return decode[Recall](body)
	case "drop_callback":
		return decode[DropCallback](body)
	case "erase":
		return decode[Erase](body)
	case "clock_moved":
		return decode[ClockMoved](body)
	default:
		return nil, nil
	}
}

// decodeCommand is DecodeEvent of what agents and supervisors command; nothing of another kind.
func decodeCommand(kind string, body []byte) (Event, error) {
	switch kind {
	case "login":
		return decode[Login](body)
	case "logout":
		return decode[Logout](body)
	case "pause":
		return decode[Pause](body)
	case "resume":
		return decode[Resume](body)
	case "finish_wrap_up":
		return decode[FinishWrapUp](body)
	case "extend_wrap_up":
		return decode[ExtendWrapUp](body)
	case "help":
		return decode[Help](body)
	case "serve":
		return decode[Serve](body)
	case "enter_queue":
		return decode[EnterQueue](body)
	case "leave_queue":
		return decode[LeaveQueue](body)
	case "shift":
		return decode[Shift](body)
	case "force_pause":
		return decode[ForcePause](body)
	case "force_logout":
		return decode[ForceLogout](body)
	case "add_member":
		return decode[AddMember](body)
	case "remove_member":
		return decode[RemoveMember](body)
	case "set_skills":
		return decode[SetSkills](body)
	case "move":
		return decode[Move](body)
	case "assign":
		return decode[Assign](body)
	default:
		return nil, nil
	}
}

func told[M tel.ToQueue](body []byte) (Event, error) {
	var m M
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("read queue event: %w", err)
	}
	return Told{m}, nil
}

func decode[E Event](body []byte) (Event, error) {
	var e E
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fmt.Errorf("read queue event: %w", err)
	}
	return e, nil
}
