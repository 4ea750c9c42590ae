"""Monitoring: monitors, drift, feedback and alerts (stage 7).

An alert is raised at most once for one cause and reaches every channel.
"""
