"""The parts of `demo_logs/train.py`: texts (`sources`, `reviews`), the training loop (`recording`), and the runs (`runs`)."""
