"""Asterisk 20 and later, as far as it tells of calls: channels, bridges and applications, CEL rows and manager events.

Written after main/cel.c, main/manager_channels.c, main/bridge.c, apps/app_dial.c, apps/app_queue.c, main/core_local.c,
main/pickup.c, main/channel.c (masquerade) and res/parking of Asterisk 23, and compared by hand with streams of one.
"""
