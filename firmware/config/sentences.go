package config

import (
	"fmt"
	"slices"
	"strings"
)

// SentenceGroup is some sentences of the box that belong together.
type SentenceGroup struct {
	Key   string   // of the group's name in the page's catalogue
	Names []string // as greeting, say: and the like name them
}

// Sentences are all that the box can say of itself, in every language. That each has a sound, and each sound a
// place here, is a test of the composition root.
func Sentences() []SentenceGroup {
	return []SentenceGroup{
		{"callers", strings.Fields("greeting wait busy_all closed unavailable wrong_number service_unavailable goodbye")},
		{"menus", strings.Fields("menu_invalid menu_timeout extension_invalid")},
		{"queue", strings.Fields(`queue_ahead_one queue_ahead queue_people queue_more_than position_first
			wait_about_one wait_about wait_below_one wait_below wait_between wait_minutes queue_callback`)},
		{"callback", strings.Fields(`callback_keys callback_number callback_type callback_refused callback_agreed callback_in_about_one
			callback_in_about callback_in_between callback_within_one callback_within callback_failed callback_go_on`)},
		{"agents", strings.Fields("whisper_waited whisper_short whisper_minute whisper_minutes whisper_callback supervision_refused supervision_no_call supervision_no_basis")},
		{"conference", strings.Fields("conference_welcome conference_hash conference_alone conference_await conference_muted conference_unmuted conference_locked conference_unlocked conference_full conference_closed conference_removed conference_over")},
		{"voicemail", strings.Fields(`vm_greeting vm_greeting_busy vm_full vm_thanks vm_too_short voicemail_unavailable vm_enter_box vm_main_keys
			vm_none vm_you_have vm_new_one vm_new_many vm_heard_one vm_heard_many vm_message vm_from_number vm_from_extension vm_from_withheld
			vm_message_keys vm_saved vm_deleted vm_restored vm_no_more vm_no_number vm_greeting_keys vm_greeting_kept`)},
		{"codes", strings.Fields("pin_enter pin_wrong pin_new pin_again pin_mismatch pin_refused pin_changed")},
		{"taping", strings.Fields("recording_notice recording_opt_out recording_refused recording_on recording_off recording_paused recording_not_here")},
		{"recording", strings.Fields("prompt_enter prompt_unknown take_intro take_keys take_short take_dropped prompt_kept echo_intro")},
		{"numbers", slices.Concat(
			numbered("digit", 0, 9), numbered("number", 10, 99), strings.Fields("number_100 number_200 number_300 number_400 number_500 number_600 number_700 number_800 number_900"),
			strings.Fields("oh and key_star key_hash"))},
		{"dates", slices.Concat(
			numbered("weekday", 0, 6), numbered("day", 1, 31), numbered("month", 1, 12), strings.Fields("today yesterday at at_one am pm noon midnight"))},
	}
}

func numbered(stem string, from, to int) (all []string) {
	for n := from; n <= to; n++ {
		all = append(all, fmt.Sprintf("%s_%d", stem, n))
	}
	return all
}

// IsSentence reports whether the box can say something of that name.
func IsSentence(name string) bool {
	return slices.ContainsFunc(Sentences(), func(g SentenceGroup) bool { return slices.Contains(g.Names, name) })
}

// PartOfASentence reports a group whose sentences are said within others, without a pause.
func (g SentenceGroup) PartOfASentence() bool { return g.Key == "numbers" || g.Key == "dates" }

// announcement reports whether the owner of the box has recorded one with that id.
func (c *Config) announcement(id string) bool {
	return slices.ContainsFunc(c.Prompts.List, func(p Prompt) bool { return p.ID == id })
}

// sayable reports whether something that is said exists: prompt:ID or a sentence of the box.
func (c *Config) sayable(name string) bool {
	if id, own := strings.CutPrefix(name, "prompt:"); own {
		return c.announcement(id)
	}
	return IsSentence(name)
}

// sentences checks what is said: announcements and sentences must exist.
func (v *validator) sentences(path string, names []string) {
	for i, name := range names {
		switch id, own := strings.CutPrefix(name, "prompt:"); {
		case v.c.sayable(name):
		case own:
			v.found.add(fmt.Sprintf("%s[%d]", path, i), "unknown", "there is no announcement %q", id)
		default:
			v.found.add(fmt.Sprintf("%s[%d]", path, i), "sentence", "the box has no sentence %q; write prompt:ID for an announcement of your own", name)
		}
	}
}
