#!/bin/sh
# Makes every sound of this directory from its text, and the music on hold.
# Needs espeak-ng 1.51, sox 14.4 and Go; the same versions give the same bytes.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# say <voice> <text file> <wav>: speech at 8,000 Hz in A-law with a mean level of -20 dBFS.
say() {
	# A whole sentence stands apart from the next; the parts of one are said without a stop.
	case ${2##*/} in
	number_*|day_*|month_*|weekday_*|at*.txt|and.txt|oh.txt|?m.txt|today.txt|yesterday.txt|midnight.txt|noon.txt) edge=0.03 ;;
	queue_ahead.txt|queue_more_than.txt|queue_people.txt|queue_callback.txt|key_*|wait_between.txt|wait_about.txt|wait_below.txt|wait_minutes.txt) edge=0.03 ;;
	callback_number.txt|callback_in_about.txt|callback_in_between.txt|callback_within.txt|whisper_*) edge=0.03 ;;
	recording_opt_out.txt) edge=0.03 ;;
	vm_you_have.txt|vm_new_*|vm_heard_*|vm_message.txt|vm_from_*) edge=0.03 ;;
	*) edge=0.1 ;;
	esac
	espeak-ng -v "$1" -a 50 -s 145 -f "$2" -w "$work/raw.wav"
	# Only what a telephone carries; peaks flattened so that the mean level can be reached without
	# clipping; silence cut at both ends to the edge.
	sox -D "$work/raw.wav" -r 8000 -b 16 -c 1 "$work/cut.wav" \
		highpass 200 lowpass 3400 \
		silence 1 0.01 0.5% reverse silence 1 0.01 0.5% reverse \
		compand 0.005,0.08 6:-60,-60,-30,-18,-12,-11,0,-8 -6 -90 0.02 pad $edge $edge
	level=$(sox "$work/cut.wav" -n stats 2>&1 | awk '/^RMS lev dB/ { print $4 }')
	gain=$(awk -v level="$level" 'BEGIN { print -20 - level }')
	sox -D "$work/cut.wav" -e a-law "$3" gain "$gain"
}

for text in sounds/it/*.txt; do
	say it+f2 "$text" "${text%.txt}.wav"
done
for text in sounds/en/*.txt; do
	say en-gb+f2 "$text" "${text%.txt}.wav"
done
go run ./compose >"$work/music.wav"
mv "$work/music.wav" sounds/music/hold.wav
