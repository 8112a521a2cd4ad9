"""TransGeo, stage by stage, and where DeiT's weights come from."""
