SELECT number FROM failed_job WHERE error_class = ? AND number = ?
