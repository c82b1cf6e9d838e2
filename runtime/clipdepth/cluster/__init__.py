"""What runs on Ray, on this machine or on many: whole archives of video, and the depth service.

`connection` starts or joins Ray; `sent_bundle` and `sent_model` bring a model to its workers, where it is verified.
Ray comes with the extra 'cluster', and is imported on use.
"""
