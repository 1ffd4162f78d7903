package dialplan

// Action is what shall happen with a call.
type Action string

// The actions a decision can have.
const (
	Reject        Action = "reject"
	Rings         Action = "ring" // Decision.Ring
	Queue         Action = "queue"
	Menu          Action = "menu"
	Voicemail     Action = "voicemail" // leave a message in Mailbox
	Outside       Action = "outside"   // try the attempts in order
	Emergency     Action = "emergency" // as Outside; may take a busy line; never announced, never queued
	Say           Action = "say"       // play Prompt, then hang up
	Hangup        Action = "hangup"
	AskPIN        Action = "ask_pin"         // collect digits, then Route the same request with PIN
	Set           Action = "set"             // keep Change and confirm it
	Echo          Action = "echo"            // play back what is said
	Milliwatt     Action = "milliwatt"       // 1,000 Hz at 0 dBm0
	PromptTest    Action = "prompt_test"     // play the prompts
	Login         Action = "login"           // of Agent at the queues
	Logout        Action = "logout"          //
	Pause         Action = "pause"           // Reason
	Resume        Action = "resume"          //
	FinishWrapUp  Action = "finish_wrap_up"  //
	ExtendWrapUp  Action = "extend_wrap_up"  //
	Help          Action = "help"            // Agent asks for a supervisor
	HelpDone      Action = "help_done"       //
	Dispose       Action = "dispose"         // of Agent's caller: Reason
	EnterQueue    Action = "queue_enter"     // Agent serves Queue again
	LeaveQueue    Action = "queue_leave"     // a pause in Queue only
	LoginHere     Action = "login_here"      // Agent comes to work at this phone: Change, then Login
	Pickup        Action = "pickup"          // take a call that rings at one of Devices
	Park          Action = "park"            // put the transferred call into a free slot
	Unpark        Action = "unpark"          // take the call in Slot
	Messages      Action = "messages"        // listen to Mailbox
	RecordPrompt  Action = "record_prompt"   // Prompt
	Intercom      Action = "intercom"        // Devices answer by themselves
	Conference    Action = "conference"      // a seat in the room Decision.Conference
	Page          Action = "page"            // Devices answer by themselves and hear the caller, one way
	Listen        Action = "listen"          // take part in the conversation of Agent, heard by nobody
	Whisper       Action = "whisper"         // heard by the agent alone
	Barge         Action = "barge"           // heard by all
	TakeOver      Action = "take_over"       // in the agent's place
	CallWhenFree  Action = "call_when_free"  // completion on busy: of Number, or of the last busy one
	StopWhenFree  Action = "stop_when_free"  // give every wish to be called back up
	DialAnonymous Action = "dial_anonymous"  // code only: CLIR for one call
	SpeedDial     Action = "speed_dial"      // code only
	GroupPickup   Action = "group_pickup"    // code only
	ToMailbox     Action = "to_mailbox"      // code only: straight into a colleague's voicemail
	TheirMessages Action = "their_messages"  // code only: another mailbox, with its PIN
	DNDOn         Action = "dnd_on"          // code only, as all below: become Set
	DNDOff        Action = "dnd_off"         //
	WaitingOn     Action = "call_waiting_on" //
	WaitingOff    Action = "call_waiting_off"
	AlwaysOn      Action = "forward_always"
	AlwaysOff     Action = "forward_always_off"
	BusyOn        Action = "forward_busy"
	BusyOff       Action = "forward_busy_off"
	NoAnswerOn    Action = "forward_no_answer"
	NoAnswerOff   Action = "forward_no_answer_off"
	UnreachOn     Action = "forward_unreachable"
	UnreachOff    Action = "forward_unreachable_off"
	SpeedSet      Action = "speed_dial_set"
	SpeedClear    Action = "speed_dial_clear"
	SeatIn        Action = "hot_desk_login"
	SeatOut       Action = "hot_desk_logout"
	HoursOpen     Action = "hours_open"
	HoursClosed   Action = "hours_closed"
	HoursAuto     Action = "hours_auto"
	Block         Action = "block"
	BlockLast     Action = "block_last_caller"
	Unblock       Action = "unblock"
)
