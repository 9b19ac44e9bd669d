"""A FreeSWITCH for tests: its channels and what it tells of them, by event socket and by mod_json_cdr.

Written after switch_channel.c (events, caller profiles and their times), switch_ivr_originate.c (LOSE_RACE,
ORIGINATOR_CANCEL, group confirmation), switch_ivr_bridge.c (who is bridged, CHANNEL_UNBRIDGE), mod_sofia (SIP statuses,
`sip_hangup_disposition`, 302, REFER), mod_callcenter (`callcenter::info`) and switch_ivr.c (the documents of
mod_json_cdr). It plays the stories that need no more than these.
"""
